import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Cleanup } from './cleanup.ts';
import { eventually } from './eventually.ts';
import { HttpServer, started } from './http-server.ts';

/** One answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string (JSON, if it looks so) or a Buffer; several parts go chunked, one chunk each. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
  /** Waits with the answer until this resolves: a promise that the test releases. */
  readonly when?: Promise<unknown>;
  /** Waits so long with the answer. */
  readonly delayMs?: number;
  /** After the body so far, instead of its end: breaks the connection, or leaves it open. */
  readonly then?: 'reset' | 'hang';
}

/** These bytes and the end of the connection, instead of an answer by node:http. */
export interface RawAnswer {
  readonly raw: string | Buffer;
}

/**
 * A number is a status alone. 'reset' breaks the connection once the request has come whole, 'reset early' before
 * its body is read, 'hang' never answers.
 */
export type Step = number | Answer | RawAnswer | 'reset' | 'reset early' | 'hang';

export type Handler = (request: Recorded) => Step | Promise<Step>;

export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Of the URL and the body. */
  readonly parameters: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** As text, inflated. */
  readonly body: string;
  readonly rawBody: Buffer;
}

/** Acts as an InfluxDB that is well: what a script leaves out. */
export function healthyStep(request: Pick<Recorded, 'path'>): Step {
  if (request.path === '/query') return { status: 200, body: '{"results":[{"statement_id":0}]}\n' };
  return request.path === '/write' || request.path === '/ping' ? 204 : 404;
}

/**
 * A real HTTP server that answers by script, one step a request, the last step again and again; without a script
 * it is well. `/ping` is apart: it answers `backend.ping` (204), and is counted, not recorded.
 */
export function scriptedBackend(
  t: Cleanup,
  ...script: (Step | Handler)[]
): Promise<ScriptedBackend> {
  return started(t, new ScriptedBackend(script));
}

export class ScriptedBackend extends HttpServer {
  /** All requests so far but `/ping`, in the order in which their bodies ended. */
  readonly requests: Recorded[] = [];
  pings = 0;
  /** What `/ping` answers. */
  ping: Step | Handler = 204;
  version = '1.8.10';
  #script: (Step | Handler)[];

  constructor(script: (Step | Handler)[]) {
    super((request, response) => this.#serve(request, response));
    this.#script = script;
  }

  /** The inflated bodies of all writes so far. */
  get writes(): string[] {
    return this.requests.filter(({ path }) => path === '/write').map(({ body }) => body);
  }

  /** A new script from the next request on; an empty one is that of a server that is well. */
  answer(...script: (Step | Handler)[]): void {
    this.#script = script;
  }

  /** Resolves once `count` requests (not pings) have come whole. */
  async received(count: number): Promise<Recorded[]> {
    const isThere = (): boolean => this.requests.length >= count;
    await eventually(`${count} requests`, isThere, { intervalMs: 5 });
    return this.requests;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', this.url);
    const isPing = pathname === '/ping';
    if (this.#planned(pathname) === 'reset early') {
      this.#take(pathname);
      request.socket.resetAndDestroy();
      return;
    }
    const rawBody = await bodyOf(request);
    if (rawBody === undefined) return;
    const recorded = record(request, rawBody);
    // Together: who counts the requests and then changes the script knows which of them are answered by the new one.
    const taken = this.#take(pathname);
    if (isPing) this.pings++;
    else this.requests.push(recorded);
    const step = typeof taken === 'function' ? await taken(recorded) : taken;
    await this.#perform(step, request, response);
  }

  #planned(path: string): Step | Handler {
    return path === '/ping' ? this.ping : (this.#script[0] ?? healthyStep({ path }));
  }

  #take(path: string): Step | Handler {
    const step = this.#planned(path);
    if (path !== '/ping' && this.#script.length > 1) this.#script.shift();
    return step;
  }

  async #perform(step: Step, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (step === 'hang') return;
    if (step === 'reset' || step === 'reset early') request.socket.resetAndDestroy();
    else if (typeof step === 'number') await this.#reply({ status: step }, response);
    else if ('raw' in step) request.socket.end(step.raw);
    else await this.#reply(step, response);
  }

  async #reply(answer: Answer, response: ServerResponse): Promise<void> {
    if (answer.delayMs !== undefined) await sleep(answer.delayMs);
    await answer.when;
    const { body = '' } = answer;
    const isJson = typeof body === 'string' && body.startsWith('{');
    response.writeHead(answer.status, {
      'X-Influxdb-Version': this.version,
      ...(isJson ? { 'Content-Type': 'application/json' } : {}),
      ...answer.headers,
    });
    const parts = typeof body === 'string' || Buffer.isBuffer(body) ? [body] : body;
    if (answer.then === undefined && parts.length === 1) {
      response.end(parts[0]);
      return;
    }
    for (const part of parts) await written(response, part);
    if (answer.then === undefined) response.end();
    else if (answer.then === 'reset') response.socket?.resetAndDestroy();
  }
}

/** Resolves once the kernel has it: a reset right after must not overtake it in our own buffers. */
function written(response: ServerResponse, part: string | Buffer): Promise<void> {
  if (part.length === 0) {
    response.flushHeaders();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    response.write(part, () => {
      resolve();
    });
  });
}

/** Undefined when the client went away before its end. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function record(request: IncomingMessage, rawBody: Buffer): Recorded {
  const url = new URL(request.url ?? '/', 'http://backend');
  const isGzip = request.headers['content-encoding'] === 'gzip';
  const body = (isGzip && rawBody.length > 0 ? gunzipSync(rawBody) : rawBody).toString();
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    parameters: new URLSearchParams([...url.searchParams, ...new URLSearchParams(body)]),
    headers: request.headers,
    body,
    rawBody,
  };
}
