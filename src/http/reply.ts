import { randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import { goJson } from '../core/go-json.ts';

/** What a handler answers. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
  /** Instead of a body: a value that becomes JSON, indented if the URL says `pretty=true`. */
  readonly json?: unknown;
}

/** Bytes of the error text that InfluxDB repeats in a header. */
const MAX_ERROR_HEADER_BYTES = 1024;

/** InfluxDB's shape of an error that concerns the whole request (`services/httpd/handler.go`, 1.6 to 1.12). */
export function errorReply(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: { 'X-Influxdb-Error': headerText(error), ...headers },
    json: { error },
  };
}

/** One document, as InfluxDB writes it: a line feed ends it. */
export function jsonText(value: unknown, isPretty = false): string {
  return `${goJson(value, isPretty)}\n`;
}

/** One line of visible ASCII: what a header may hold whatever a client's line held. */
export function headerText(error: string): string {
  return error
    .slice(0, MAX_ERROR_HEADER_BYTES)
    .replace(/[^\x20-\x7e]/g, (character) => (/\s/.test(character) ? ' ' : '?'));
}

/** The client's own request id, under either name, else a new one. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'] ?? headers['request-id'];
  const id = Array.isArray(given) ? given[0] : given;
  return id === undefined || id === '' ? randomUUID() : id;
}

/** InfluxDB's CORS headers, which it sends only to a request that names its origin: names and values in turn. */
export function corsHeaders({ origin }: IncomingHttpHeaders): string[] {
  if (origin === undefined || origin === '') return [];
  return [
    ...['Access-Control-Allow-Origin', origin],
    ...['Access-Control-Allow-Methods', 'DELETE, GET, OPTIONS, POST, PUT'],
    'Access-Control-Allow-Headers',
    'Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override',
    ...['Access-Control-Expose-Headers', 'Date, X-InfluxDB-Version, X-InfluxDB-Build'],
  ];
}

/** Milliseconds without a byte of a body whose request was answered before its end. Go's server, and so influxd, waits 500 in all. */
const MAX_LINGER_STALL_MS = 2_000;

/**
 * Sends the reply with its own headers behind those in `headers` (names and values in turn: a list, because Node takes one
 * as it is, at half the cost of an object); a cut answer cuts the connection. Throws when a header cannot be sent; then
 * nothing was. `lingers`: the connection is to end with it, while the client is still sending its body, which is being read.
 */
export function send(
  response: ServerResponse,
  reply: Reply,
  headers: string[],
  lingers: boolean,
): void {
  const { status, body } = reply;
  if (response.destroyed) {
    if (body instanceof Readable) body.destroy();
    return;
  }
  for (const [name, value] of Object.entries(reply.headers ?? {})) headers.push(name, value);
  if (body !== undefined && !(body instanceof Readable)) {
    headers.push('Content-Length', String(Buffer.byteLength(body)));
  }
  try {
    response.writeHead(status, STATUS_CODES[status], headers);
  } catch (error) {
    if (body instanceof Readable) body.destroy();
    throw error;
  }
  if (body instanceof Readable) pass(body, response);
  else if (lingers) endAfterRequest(response, body);
  else response.end(body);
}

/**
 * Sends all of the answer, but ends it after the request, and so closes the connection: closing one on which bytes still
 * come resets it, which takes from the client what it has not read yet.
 */
function endAfterRequest(response: ServerResponse, body: string | Buffer | undefined): void {
  if (body === undefined) response.flushHeaders();
  else response.write(body);
  response.req.once('end', () => response.end()).socket.setTimeout(MAX_LINGER_STALL_MS);
}

/**
 * An upstream that breaks midway must not look like a complete answer, as it would to a client of HTTP/1.0, whose answers
 * end with the connection: that is reset. By events, because `pipeline` takes a tenth of the CPU time of a small query.
 */
function pass(body: Readable, response: ServerResponse): void {
  const reset = (): void => {
    if (!body.readableEnded) response.socket?.resetAndDestroy();
  };
  if (body.destroyed) {
    reset();
    return;
  }
  body.once('error', reset).once('close', reset);
  response.once('error', reset).once('close', () => body.destroy());
  body.pipe(response);
}
