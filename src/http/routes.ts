import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { RequestCounter } from '../metrics/counters.ts';
import { Memo } from '../core/memo.ts';
import { Signal } from '../core/signal.ts';
import type { Parameters } from './parameters.ts';
import { corsHeaders, errorReply, jsonText, type Reply, requestIdOf, send } from './reply.ts';
import type { Listener } from './server.ts';
import { type Target, targetOf } from './targets.ts';

/** One request as a handler sees it. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the URL. */
  readonly parameters: Parameters;
  readonly requestId: string;
  #signal: Signal | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, parameters: Parameters) {
    this.request = request;
    this.response = response;
    this.parameters = parameters;
    this.requestId = requestIdOf(request.headers);
  }

  /** The client has gone before it was answered. */
  get isAbandoned(): boolean {
    return this.response.destroyed && !this.response.writableFinished;
  }

  /** Aborts when the client has gone before it was answered. Made when asked for: a write has no use for it. */
  get signal(): Signal {
    this.#signal ??= this.#openSignal();
    return this.#signal;
  }

  #openSignal(): Signal {
    const signal = new Signal();
    const look = (): void => {
      if (this.isAbandoned) signal.abort();
    };
    look();
    this.response.once('close', look);
    return signal;
  }
}

export type Handler = (exchange: Exchange) => Promise<Reply> | Reply;

/** What answers the requests for one path. */
export interface Resource {
  /** OPTIONS is answered where there is a POST. */
  readonly methods: Readonly<Record<string, Handler>>;
  /** Of the requests that a handler answers, timed until the answer is known. */
  readonly counter?: RequestCounter;
}

/** By path. */
export type Routes = Readonly<Record<string, Resource>>;

export interface RouterOptions {
  readonly routes: Routes;
  /** Of every answer, also of a 404: names and values in turn. */
  readonly headers: () => readonly string[];
  /** True while shutting down: connections are not kept alive. */
  readonly isClosing: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Seconds after which a client may try again; clients of the 2.x kind wait for it. */
const RETRY_AFTER = '1';

/** Finds the handler of a request and sends what it answers. */
export function router(options: RouterOptions): Listener {
  const targets = new Memo<Target>();
  return (request, response) => {
    const url = request.url ?? '/';
    const { path, parameters } = targets.of(url, () => targetOf(url));
    const exchange = new Exchange(request, response, parameters);
    const resource = Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
    const handler = resource?.methods[request.method ?? ''];
    if (handler !== undefined) void answer(handler, exchange, resource?.counter, options);
    else {
      const reply = withoutHandler(request, resource);
      // Not with a 404 or 405, as on influxd.
      const headers = reply.status === 200 ? corsHeaders(request.headers) : [];
      respond(exchange, reply, headers, options);
    }
  };
}

/** Never rejects. */
async function answer(
  handler: Handler,
  exchange: Exchange,
  counter: RequestCounter | undefined,
  options: RouterOptions,
): Promise<void> {
  const { clock, log } = options;
  const startedAt = clock.monotonic();
  let reply: Reply;
  try {
    reply = await handler(exchange);
  } catch (error) {
    reply = replyTo(error, exchange, log);
  }
  counter?.add(reply.status, clock.monotonic() - startedAt);
  const headers = corsHeaders(exchange.request.headers);
  if (reply.headers?.['Content-Type'] === undefined)
    headers.push('Content-Type', 'application/json');
  respond(exchange, withBody(reply, exchange), headers, options);
}

function respond(
  exchange: Exchange,
  reply: Reply,
  ownHeaders: readonly string[],
  options: RouterOptions,
): void {
  const { request, response } = exchange;
  const headers = headersOf(exchange, options);
  headers.push(...ownHeaders);
  // Drops what the handler left of the body: a client may read nothing before it has sent all.
  const lingers = isStillSending(request) && (options.isClosing() || !response.shouldKeepAlive);
  if (!request.readableEnded) request.resume();
  try {
    send(response, reply, headers, lingers);
  } catch (error) {
    logFailure(exchange, error, options.log);
    sendFailure(exchange, headersOf(exchange, options));
  }
}

/** Those of every answer: names and values in turn. Looked at late, because the proxy may be closing by now. */
function headersOf({ request, requestId }: Exchange, options: RouterOptions): string[] {
  const headers = ['X-Request-Id', requestId, 'Request-Id', requestId, ...options.headers()];
  // Who was not told to continue sends no body; what comes next would be taken for it.
  if (options.isClosing() || awaitsContinue(request)) headers.push('Connection', 'close');
  return headers;
}

function replyTo(error: unknown, exchange: Exchange, log: Log): Reply {
  if (error instanceof ProxyError) {
    const headers = error.status === 503 ? { 'Retry-After': RETRY_AFTER } : undefined;
    return errorReply(error.status, error.message, headers);
  }
  if (!exchange.isAbandoned) logFailure(exchange, error, log);
  return errorReply(500, 'internal error');
}

/** influxd looks for `pretty` in the URL alone, and of a write too. */
function withBody(reply: Reply, { parameters }: Exchange): Reply {
  if (reply.json === undefined) return reply;
  return { ...reply, body: jsonText(reply.json, parameters.get('pretty') === 'true') };
}

/** The reply cannot be sent: a server's header holds what HTTP does not allow. */
function sendFailure(exchange: Exchange, headers: readonly string[]): void {
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const reply = errorReply(502, 'the answer of the server cannot be passed on');
  const typed = [...headers, 'Content-Type', 'application/json'];
  send(response, withBody(reply, exchange), typed, false);
}

function logFailure({ requestId }: Exchange, error: unknown, log: Log): void {
  const stack = error instanceof Error ? error.stack : undefined;
  log.error({ requestId, error: messageOf(error), stack }, 'request failed');
}

function isStillSending(request: IncomingMessage): boolean {
  return !request.complete && !awaitsContinue(request);
}

function awaitsContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && !request.readableDidRead;
}

/** Of a path that exists. A browser's preflight is for POST alone, as on influxd, and its answer has no body. */
function withoutHandler(request: IncomingMessage, resource: Resource | undefined): Reply {
  if (resource === undefined) return plainText(404, '404 page not found\n', {});
  const allowed = Object.keys(resource.methods);
  if (!allowed.includes('POST')) return notAllowed(allowed);
  if (request.method !== 'OPTIONS') return notAllowed([...allowed, 'OPTIONS']);
  return { status: 200, body: '' };
}

function notAllowed(allowed: readonly string[]): Reply {
  return plainText(405, 'Method Not Allowed\n', { Allow: allowed.join(', ') });
}

function plainText(status: number, body: string, headers: Readonly<Record<string, string>>): Reply {
  const contentType = { 'Content-Type': 'text/plain; charset=utf-8' };
  return {
    status,
    body,
    headers: { ...contentType, 'X-Content-Type-Options': 'nosniff', ...headers },
  };
}
