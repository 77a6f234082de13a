import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { inspect, promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { Cleanup } from '../support/cleanup.ts';
import { type HttpAnswer, httpRequest, type HttpRequest } from '../support/http-client.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { shownWhole } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

const runFile = promisify(execFile);

/** A proxy in front of two servers, and a server alone that clients must not be able to tell from it. */
export interface ClientSetup {
  readonly proxy: ProxyProcess;
  readonly single: Influxd;
  /** Writes the same lines through the proxy and to the server. */
  readonly write: (lines: readonly string[]) => Promise<void>;
  /** Sends a request to both. The answers must be equal in all that a client may look at; returns the body. */
  readonly assertSameAnswer: (target: string, options?: HttpRequest) => Promise<string>;
  /** Every server must hold the same points of it, so many. */
  readonly assertStored: (measurement: string, points: number) => Promise<void>;
  /** Runs a program against both, which gets the port as its last argument. It must print the same; returns that. */
  readonly assertSameOutput: (file: string, args: readonly string[]) => Promise<string>;
}

/** All know a database `metrics`, with no points. `weather` is on one server of the proxy alone, `traffic` on the other. */
export async function startForClients(t: Cleanup): Promise<ClientSetup> {
  const servers = [await startInfluxd(t), await startInfluxd(t), await startInfluxd(t)] as const;
  const [single, a, b] = servers;
  await single.createDatabase('metrics');
  await a.createDatabase('metrics');
  await b.createDatabase('other name');
  const proxy = await startProxy(t, {
    proxy: {
      ...{ db: 'metrics', interval: 0 },
      // What some clients have a function for.
      allowStatements: [
        ...['drop measurement', 'create retention policy'],
        ...['alter retention policy', 'drop retention policy'],
      ],
    },
    backends: {
      a: { url: a.url, db: 'metrics', ...PATIENT },
      b: { url: b.url, db: 'other name', ...PATIENT },
    },
    keymaps: { _default_: ['a', 'b'], weather: ['a'], traffic: ['b'] },
  });
  await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  const write: ClientSetup['write'] = async (lines) => {
    const body = lines.join('\n');
    const answer = await proxy.request('/write?db=metrics', { body });
    assert.equal(answer.status, 204, answer.text);
    await single.write('metrics', body);
  };
  const assertStored: ClientSetup['assertStored'] = async (measurement, points) => {
    const rows = await single.rows('metrics', measurement);
    assert.equal(rows.length, points, rows.join('\n'));
    assert.deepEqual(await a.rows('metrics', measurement), rows);
    assert.deepEqual(await b.rows('other name', measurement), rows);
  };
  const assertSameAnswer: ClientSetup['assertSameAnswer'] = async (target, options = {}) => {
    const request = { ...options, headers: { 'X-Request-Id': 'id', ...options.headers } };
    const [through, direct] = await Promise.all([
      httpRequest(`${proxy.url}${target}`, request),
      httpRequest(`${single.url}${target}`, request),
    ]);
    const [seen, expected] = [inflated(through), inflated(direct)];
    assert.deepEqual(shownWhole(seen), shownWhole(expected), `${target} ${inspect(options)}`);
    return seen.text;
  };
  const assertSameOutput: ClientSetup['assertSameOutput'] = async (file, args) => {
    const [through, direct] = await Promise.all(
      [proxy.port, single.port].map((port) =>
        runFile(file, [...args, String(port)], { timeout: 60_000 }),
      ),
    );
    assert.deepEqual(through, direct);
    assert.ok(through !== undefined && through.stderr === '', through?.stderr);
    return through.stdout;
  };
  return { proxy, single, write, assertStored, assertSameAnswer, assertSameOutput };
}

/** As a client sees it that asked for gzip: answers that the proxy makes of several need not be compressed. */
function inflated(answer: HttpAnswer): HttpAnswer {
  const { 'content-encoding': encoding, ...headers } = answer.headers;
  if (encoding !== 'gzip') return answer;
  const body = gunzipSync(answer.body);
  return { ...answer, headers, body, text: body.toString() };
}
