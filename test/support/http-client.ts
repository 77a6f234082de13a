import {
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';

type Chunks = Iterable<string | Buffer> | AsyncIterable<string | Buffer>;

export interface HttpRequest {
  /** Default POST with a body, GET without. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Text and Buffers go with a Content-Length, anything else iterable goes chunked, one chunk an item. */
  readonly body?: string | Buffer | Chunks;
  /** Compresses a `body` of text or Buffer and says so in Content-Encoding. */
  readonly gzip?: boolean;
  /** Without one, each request has its own connection. */
  readonly agent?: Agent;
  /** Accepts answers that break HTTP. */
  readonly insecureHTTPParser?: boolean;
  readonly signal?: AbortSignal;
  /** Default 60,000, from the call to the end of the answer. */
  readonly timeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusMessage: string;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** As they came: names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** `body` as text. */
  readonly text: string;
  /** Whether the server said "100 Continue" to `Expect: 100-continue`. */
  readonly continued: boolean;
}

/** One request over `node:http`: any answer is a result; a broken connection or a timeout throws. */
export async function httpRequest(
  url: string | URL,
  options: HttpRequest = {},
): Promise<HttpAnswer> {
  const payload = payloadOf(options);
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 60_000);
  const outgoing = request(url, {
    method: options.method ?? (payload === undefined ? 'GET' : 'POST'),
    headers: headersOf(options, payload),
    agent: options.agent ?? false,
    insecureHTTPParser: options.insecureHTTPParser ?? false,
    signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
  });
  const answered = answerTo(outgoing);
  let continued = false;
  if (outgoing.hasHeader('expect')) {
    outgoing.once('continue', () => {
      continued = true;
      sendBody(outgoing, payload);
    });
    outgoing.flushHeaders();
  } else {
    sendBody(outgoing, payload);
  }
  const incoming = await answered;
  const body = await bytesOf(incoming);
  // Refused before its body was sent: nothing else would end this connection.
  if (!outgoing.writableEnded) outgoing.destroy();
  return {
    status: incoming.statusCode ?? 0,
    statusMessage: incoming.statusMessage ?? '',
    httpVersion: incoming.httpVersion,
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    body,
    text: body.toString(),
    continued,
  };
}

function payloadOf({ body, gzip }: HttpRequest): Buffer | Chunks | undefined {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return body;
  return gzip === true ? gzipSync(body) : Buffer.from(body);
}

function headersOf(
  options: HttpRequest,
  payload: Buffer | Chunks | undefined,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  if (Buffer.isBuffer(payload)) headers['Content-Length'] = String(payload.length);
  if (options.gzip === true) headers['Content-Encoding'] = 'gzip';
  return { ...headers, ...options.headers };
}

function sendBody(outgoing: ClientRequest, payload: Buffer | Chunks | undefined): void {
  if (payload === undefined || Buffer.isBuffer(payload)) {
    outgoing.end(payload);
    return;
  }
  // A server that answers early and closes breaks the pipe; the answer, or its absence, is the result.
  pipeline(Readable.from(payload, { objectMode: true }), outgoing).catch(() => undefined);
}

function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    // Stays on: an error after the answer has begun shows in the answer's own stream.
    outgoing.on('error', reject);
  });
}

async function bytesOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
