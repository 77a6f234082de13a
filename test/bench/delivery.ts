import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { CleanupStack } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import type { WriteCase } from './cases.ts';
import { bodyOf, encoded, idOf, lineAt, type LineStream } from './lines.ts';
import { backendsOf, keymapsOf, startProxyTo } from './topology.ts';

/** What became of the lines of a run in which every line was followed. */
export interface Delivery {
  readonly acknowledged: number;
  readonly refused: number;
  /** Acknowledged lines less those found, over the sinks of their routes. */
  readonly missing: number;
  /** Found more than once at a sink. */
  readonly repeated: number;
  /** Found at a sink that is not of their route. */
  readonly astray: number;
  /** Found, but not with the bytes that were sent. */
  readonly altered: number;
}

/** Enough for batches of many shapes, few enough to take a second. */
const MAX_LINES = 20_000;
const MAX_BODIES = 1_000;

/**
 * Sends unique lines in the shape of a case through a proxy of its own to sinks that inflate what they get and look at
 * every line. Not timed: nginx, the sink of the timed runs, cannot look into what it is sent.
 */
export async function checkDelivery(benchCase: WriteCase): Promise<Delivery> {
  const { load, topology } = benchCase;
  const bodies = Math.min(MAX_BODIES, Math.ceil(MAX_LINES / load.linesPerBody));
  const lines = bodies * load.linesPerBody;
  const t = new CleanupStack();
  try {
    const sinks: InflatingSink[] = [];
    for (let index = 0; index < topology.backends; index++) {
      sinks.push(await InflatingSink.start(t, topology.stream, lines));
    }
    const origins = sinks.map(({ url }) => url);
    const proxy = await startProxyTo(t, origins, keymapsOf(topology));
    const isAcknowledged = await sendAll(proxy.url, benchCase, bodies);
    // What was acknowledged from the spill, because this machine is busy, is still to come.
    await proxy.waitFor(({ backends }) =>
      Object.values(backends).every(({ backlog }) => backlog.points === 0),
    );
    await proxy.stop();
    return deliveryOf(benchCase, isAcknowledged, sinks);
  } finally {
    await t.run();
  }
}

/** By line: 1 when its request was answered with a 204. */
async function sendAll(url: string, benchCase: WriteCase, bodies: number): Promise<Uint8Array> {
  const { linesPerBody, connections, gzip } = benchCase.load;
  const isAcknowledged = new Uint8Array(bodies * linesPerBody);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers: Record<string, string> = gzip ? { 'content-encoding': 'gzip' } : {};
  let next = 0;
  const sendInTurn = async (): Promise<void> => {
    while (next < bodies) {
      const from = linesPerBody * next++;
      const body = encoded(bodyOf(benchCase.topology.stream, from, linesPerBody), gzip);
      const { status } = await httpRequest(`${url}/write?db=bench`, { agent, headers, body });
      if (status === 204) isAcknowledged.fill(1, from, from + linesPerBody);
    }
  };
  await Promise.all(Array.from({ length: connections }, sendInTurn));
  agent.destroy();
  return isAcknowledged;
}

function deliveryOf(
  { topology }: WriteCase,
  isAcknowledged: Uint8Array,
  sinks: readonly InflatingSink[],
): Delivery {
  const delivery = { acknowledged: 0, refused: 0, missing: 0, repeated: 0, astray: 0, altered: 0 };
  for (const [id, yes] of isAcknowledged.entries()) {
    if (yes === 1) delivery.acknowledged += 1;
    else delivery.refused += 1;
    const route = backendsOf(topology, id);
    for (const [index, { timesSeen }] of sinks.entries()) {
      const times = timesSeen[id] ?? 0;
      const isOfRoute = route.includes(index);
      if (isOfRoute && times < yes) delivery.missing += 1;
      if (isOfRoute && times > 1) delivery.repeated += 1;
      if (!isOfRoute && times > 0) delivery.astray += 1;
    }
  }
  for (const sink of sinks) delivery.altered += sink.altered;
  return delivery;
}

/** Takes writes like InfluxDB, and counts each line of a stream. */
class InflatingSink {
  readonly url: string;
  /** By line number. */
  readonly timesSeen: Uint8Array;
  /** Lines that are none of the stream. */
  altered = 0;
  readonly #stream: LineStream;

  private constructor(url: string, stream: LineStream, lines: number) {
    this.url = url;
    this.#stream = stream;
    this.timesSeen = new Uint8Array(lines);
  }

  static async start(t: CleanupStack, stream: LineStream, lines: number): Promise<InflatingSink> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const sink = new InflatingSink(`http://127.0.0.1:${port}`, stream, lines);
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
      if (id < this.timesSeen.length && lineAt(this.#stream, id) === line) {
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
