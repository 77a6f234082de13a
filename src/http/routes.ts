import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type Parameters, parseParameters } from './parameters.ts';
import { corsHeaders, errorReply, type Reply, requestIdOf, send } from './reply.ts';

/** One request as a handler sees it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the URL. */
  readonly parameters: Parameters;
  readonly requestId: string;
  /** Aborts when the client has gone before it was answered. */
  readonly signal: AbortSignal;
}

export type Handler = (exchange: Exchange) => Promise<Reply> | Reply;

/** By path, then by method. OPTIONS is answered for each of them. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

export interface RouterOptions {
  readonly routes: Routes;
  /** Of every answer, also of a 404. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** True while shutting down: connections are not kept alive. */
  readonly isClosing: () => boolean;
  readonly log: Log;
}

/** Seconds after which a client may try again; clients of the 2.x kind wait for it. */
const RETRY_AFTER = '1';

/** Finds the handler of a request and sends what it answers. Never rejects. */
export function router(options: RouterOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { path, query } = splitUrl(request.url ?? '/');
    const requestId = requestIdOf(request.headers);
    const ids = { 'X-Request-Id': requestId, 'Request-Id': requestId };
    const common = { ...ids, ...options.headers(), ...corsHeaders(request) };
    const closing = options.isClosing() ? { Connection: 'close' } : {};
    const methods = Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
    const handler = methods?.[request.method ?? ''];
    if (methods === undefined || handler === undefined) {
      const reply = methods === undefined ? notFound() : withoutHandler(request, methods);
      await send(response, { ...reply, headers: { ...common, ...reply.headers, ...closing } });
      return;
    }
    const exchange: Exchange = {
      request,
      response,
      parameters: parseParameters(query),
      requestId,
      signal: goneSignal(response),
    };
    const reply = await answer(handler, exchange, options.log);
    // Who was not told to continue sends no body; what comes next would be taken for it.
    const ending = awaitsContinue(request) ? { Connection: 'close' } : closing;
    // Drops what the handler left of the body: a client may read nothing before it has sent all.
    request.resume();
    await send(response, {
      ...reply,
      headers: {
        'Content-Type': 'application/json',
        ...common,
        ...reply.headers,
        ...ending,
      },
    });
  };
}

async function answer(handler: Handler, exchange: Exchange, log: Log): Promise<Reply> {
  try {
    return await handler(exchange);
  } catch (error) {
    if (error instanceof ProxyError) {
      const headers = error.status === 503 ? { 'Retry-After': RETRY_AFTER } : undefined;
      return errorReply(error.status, error.message, headers);
    }
    if (!exchange.signal.aborted) {
      const { requestId } = exchange;
      log.error({ requestId, error: messageOf(error), stack: stackOf(error) }, 'request failed');
    }
    return errorReply(500, 'internal error');
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** A client that takes the proxy for an HTTP proxy sends the whole URL. */
function splitUrl(target: string): { path: string; query: string } {
  const url = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = url.indexOf('?');
  return mark === -1
    ? { path: url, query: '' }
    : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

function awaitsContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && !request.readableDidRead;
}

function notFound(): Reply {
  return plainText(404, '404 page not found\n', {});
}

/** A path that exists: OPTIONS is answered with no body, any other method is not allowed. */
function withoutHandler(
  request: IncomingMessage,
  methods: Readonly<Record<string, Handler>>,
): Reply {
  if (request.method === 'OPTIONS') return { status: 200, body: '' };
  const allowed = [...Object.keys(methods), 'OPTIONS'].join(', ');
  return plainText(405, 'Method Not Allowed\n', { Allow: allowed });
}

function plainText(status: number, body: string, headers: Readonly<Record<string, string>>): Reply {
  const contentType = { 'Content-Type': 'text/plain; charset=utf-8' };
  return {
    status,
    body,
    headers: { ...contentType, 'X-Content-Type-Options': 'nosniff', ...headers },
  };
}
