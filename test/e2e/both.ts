import { strict as assert } from 'node:assert';
import type { Cleanup } from '../support/cleanup.ts';
import { httpRequest, type HttpRequest } from '../support/http-client.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { shownWhole } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

/** A real server with a database `db`, which holds two points of `m`, and a proxy in front of it with the same name. */
export interface Both {
  readonly influxd: Influxd;
  readonly proxy: ProxyProcess;
  /** Sends a request, as it is but for a fixed id, to both. The answers must be equal, and hold `part` in their body. */
  readonly assertSame: (target: string, part: string, options?: HttpRequest) => Promise<void>;
}

export async function startBoth(t: Cleanup): Promise<Both> {
  const influxd = await startInfluxd(t);
  await influxd.createDatabase('db');
  await influxd.write('db', ['m,h=a v=1,n=9007199254740993i,f=1e21 1', 'm,h=b v=2 2000000000']);
  const proxy = await startProxy(t, {
    proxy: { db: 'db', interval: 0 },
    backends: { a: { url: influxd.url, db: 'db', ...PATIENT } },
    keymaps: { _default_: ['a'] },
  });
  await proxy.waitFor(({ backends }) => backends['a']?.up === true);
  const assertSame: Both['assertSame'] = async (target, part, options = {}) => {
    const request = { ...options, headers: { 'X-Request-Id': 'id', ...options.headers } };
    const [own, direct] = await Promise.all([
      httpRequest(`${proxy.url}${target}`, request),
      httpRequest(`${influxd.url}${target}`, request),
    ]);
    const what = `${target} ${JSON.stringify(options)}`;
    assert.deepEqual(shownWhole(own), shownWhole(direct), what);
    assert.ok(own.text.includes(part), `${what}: ${own.text}`);
  };
  return { influxd, proxy, assertSame };
}
