import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Cleanup } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import { startProxy } from '../support/proxy.ts';
import type { BenchCase } from './cases.ts';
import { bodyOf, idOf, lineAt, MEASUREMENTS } from './lines.ts';

/** What became of the lines of a run in which every line was followed. */
export interface Delivery {
  readonly acknowledged: number;
  readonly refused: number;
  /** Acknowledged lines less those found, over both sinks. */
  readonly missing: number;
  /** Found more than once at a sink. */
  readonly repeated: number;
  /** Found, but not with the bytes that were sent. */
  readonly altered: number;
}

/** Of each case: enough for batches of many shapes, few enough to take seconds. */
const LINES_PER_CASE = 40_000;
const MAX_BODIES = 1_500;

/**
 * Sends unique lines in the shape of each case through a proxy of its own to two sinks that inflate what they get and
 * look at every line. Not timed: nginx, the sink of the timed runs, cannot look into what it is sent.
 */
export async function checkDelivery(t: Cleanup, cases: readonly BenchCase[]): Promise<Delivery> {
  const plans = planOf(cases);
  const total = plans.reduce((sum, { bodies, linesPerBody }) => sum + bodies * linesPerBody, 0);
  const sinks = [await InflatingSink.start(t, total), await InflatingSink.start(t, total)] as const;
  const proxy = await startProxy(t, {
    proxy: { interval: 0 },
    backends: { one: { url: sinks[0].url, db: 'bench' }, two: { url: sinks[1].url, db: 'bench' } },
    keymaps: Object.fromEntries(MEASUREMENTS.map((name) => [name, ['one', 'two']])),
  });
  const isAcknowledged = new Uint8Array(total);
  for (const plan of plans) await sendAll(proxy.url, plan, isAcknowledged);
  // What was acknowledged from the spill, because this machine is busy, is still to come.
  await proxy.waitFor(({ backends }) =>
    Object.values(backends).every(({ backlog }) => backlog.points === 0),
  );
  await proxy.stop();
  return deliveryOf(isAcknowledged, sinks);
}

interface Plan extends BenchCase {
  readonly firstId: number;
}

/** The cases with fewer bodies, and with lines that no other case sends. */
function planOf(cases: readonly BenchCase[]): Plan[] {
  let firstId = 0;
  return cases.map((benchCase) => {
    const { linesPerBody } = benchCase;
    const bodies = Math.min(MAX_BODIES, Math.ceil(LINES_PER_CASE / linesPerBody));
    const plan = { ...benchCase, bodies, firstId };
    firstId += bodies * linesPerBody;
    return plan;
  });
}

async function sendAll(url: string, plan: Plan, isAcknowledged: Uint8Array): Promise<void> {
  const { bodies, linesPerBody, connections, gzip, firstId } = plan;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers: Record<string, string> = gzip ? { 'content-encoding': 'gzip' } : {};
  let next = 0;
  const sendInTurn = async (): Promise<void> => {
    while (next < bodies) {
      const from = firstId + linesPerBody * next++;
      const body = bodyOf(from, linesPerBody, gzip);
      const { status } = await httpRequest(`${url}/write?db=bench`, { agent, headers, body });
      if (status === 204) isAcknowledged.fill(1, from, from + linesPerBody);
    }
  };
  await Promise.all(Array.from({ length: connections }, sendInTurn));
  agent.destroy();
}

function deliveryOf(isAcknowledged: Uint8Array, sinks: readonly InflatingSink[]): Delivery {
  const delivery = { acknowledged: 0, refused: 0, missing: 0, repeated: 0, altered: 0 };
  for (const [id, yes] of isAcknowledged.entries()) {
    if (yes === 1) delivery.acknowledged += 1;
    else delivery.refused += 1;
    for (const { timesSeen } of sinks) {
      const times = timesSeen[id] ?? 0;
      if (times < yes) delivery.missing += 1;
      if (times > 1) delivery.repeated += 1;
    }
  }
  for (const sink of sinks) delivery.altered += sink.altered;
  return delivery;
}

/** Takes writes like InfluxDB, and counts each line of `lineAt`. */
class InflatingSink {
  readonly url: string;
  /** By line number. */
  readonly timesSeen: Uint8Array;
  /** Lines that are none of `lineAt`. */
  altered = 0;

  private constructor(url: string, lines: number) {
    this.url = url;
    this.timesSeen = new Uint8Array(lines);
  }

  static async start(t: Cleanup, lines: number): Promise<InflatingSink> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const sink = new InflatingSink(`http://127.0.0.1:${port}`, lines);
    server.on('request', (request, response) => {
      void bytesOf(request).then((body) => {
        sink.#take(body.toString('utf8'));
        response.writeHead(204, { 'X-Influxdb-Version': '1.8.10' }).end();
      });
    });
    return sink;
  }

  #take(body: string): void {
    for (const line of body.split('\n')) {
      if (line === '') continue;
      const id = idOf(line);
      if (lineAt(id) === line && id < this.timesSeen.length) {
        this.timesSeen[id] = (this.timesSeen[id] ?? 0) + 1;
      } else {
        this.altered += 1;
      }
    }
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
}
