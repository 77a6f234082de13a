import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import type { SinkData, SinkState } from './counting-sink.ts';

// The thread behind a CountingSink: answers each message (a state to take, or `count`) with its count.

const { port, linesPerSecond } = workerData as SinkData;
const NEWLINE = 10;

let state: SinkState = 'down';
let lines = 0;
let bytes = 0;
/** When the work that it has taken so far is done, in milliseconds of the performance clock. */
let busyUntil = 0;

const server = createServer((request, response) => {
  serve(request, response).catch(() => undefined); // its client went away
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  if (state !== 'up') return;
  const raw = Buffer.concat(chunks);
  const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
  const count = linesOf(text);
  busyUntil = Math.max(busyUntil, performance.now()) + (count / linesPerSecond) * 1_000;
  const waitMs = busyUntil - performance.now();
  if (waitMs >= 1) await sleep(waitMs);
  if (response.destroyed) return;
  lines += count;
  bytes += text.length;
  response.writeHead(204, { 'X-Influxdb-Version': '1.8.10' }).end();
}

function linesOf(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** What was held is broken off: a server that comes back has forgotten it. */
async function become(next: SinkState): Promise<void> {
  server.closeAllConnections();
  if (state === 'down' && next !== 'down') {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }
  if (next === 'down' && server.listening) {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
  state = next;
}

parentPort?.on('message', (message: SinkState | 'count') => {
  void (message === 'count' ? Promise.resolve() : become(message)).then(() =>
    parentPort?.postMessage({ lines, bytes }),
  );
});
