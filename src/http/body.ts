import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { joined } from '../core/buffers.ts';
import type { Budget } from '../core/budget.ts';
import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import { claimedBytes, inflateSmall, isPlainMember } from './gzip.ts';

interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface BodyLimits {
  /** Bytes as sent. */
  readonly maxBodySize: number;
  /** Bytes after inflating. */
  readonly maxInflatedSize: number;
  /** Milliseconds without a byte after which the connection is cut: what has come takes memory from others. */
  readonly maxStallMs: number;
}

/** Bytes that were read, and how to give back the memory that they take from the budget. */
export interface LeasedBytes {
  readonly bytes: Buffer;
  readonly release: () => void;
}

export interface Body extends LeasedBytes {
  /** The same bytes as the client compressed them, if others can read them as they are. */
  readonly gzipped?: Buffer;
}

/** Of zlib's output at a time: a turn through the thread pool each, so as much as the body claims to need, within these. */
const MIN_INFLATE_BYTES = 64;
const MAX_INFLATE_BYTES = 1024 * 1024;

const GZIP_HEADER_BYTES = 10;

/**
 * Reads the whole body of a request, inflated when it says `gzip` (only that exact word: InfluxDB reads any other coding
 * as text). Rejects as readBytes does, and with BODY_MALFORMED.
 */
export function readBody(exchange: Incoming, limits: BodyLimits, budget: Budget): Promise<Body> {
  const reading = readBytes(exchange, limits, budget);
  if (exchange.request.headers['content-encoding'] !== 'gzip') return reading;
  return inflated(reading, limits.maxInflatedSize, budget);
}

async function inflated(
  reading: Promise<LeasedBytes>,
  limit: number,
  budget: Budget,
): Promise<Body> {
  const raw = await reading;
  try {
    if (raw.bytes.length === 0) throw malformed('EOF');
    const { bytes, release } = await inflate(raw.bytes, limit, budget);
    if (!isPlainMember(raw.bytes, bytes.length)) {
      raw.release();
      return { bytes, release };
    }
    const releaseBoth = (): void => {
      raw.release();
      release();
    };
    return { bytes, gzipped: raw.bytes, release: releaseBoth };
  } catch (error) {
    raw.release();
    throw error;
  }
}

/**
 * Reads the whole body of a request as it was sent. Rejects with BODY_TOO_LARGE, or OVERLOADED when the budget has no
 * room; nothing is kept then.
 */
export async function readBytes(
  { request, response }: Incoming,
  { maxBodySize, maxStallMs }: Omit<BodyLimits, 'maxInflatedSize'>,
  budget: Budget,
): Promise<LeasedBytes> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodySize) throw tooLarge();
  // HTTP/1.0 knows no such answer, and would take it for the final one.
  if (request.headers.expect !== undefined && request.httpVersion === '1.1') {
    response.writeContinue();
  }
  const collected = collect(request, maxBodySize, budget);
  // By now a body that came with its head, as small ones do, has been parsed: it needs no timer.
  await Promise.resolve();
  const isWhole = request.complete;
  if (!isWhole) request.socket.setTimeout(maxStallMs);
  const raw = await collected;
  if (!isWhole) request.socket.setTimeout(0);
  return raw;
}

async function inflate(bytes: Buffer, limit: number, budget: Budget): Promise<LeasedBytes> {
  const small = inflateSmall(bytes);
  if (small !== undefined) return leaseOf(small, limit, budget);
  // One more than needed: a chunk that is full makes zlib ask for another one.
  const wanted = Math.min(claimedBytes(bytes) + 1, MAX_INFLATE_BYTES);
  const gunzip = createGunzip({ chunkSize: Math.max(wanted, MIN_INFLATE_BYTES) });
  gunzip.end(bytes);
  try {
    const lease = await collect(gunzip, limit, budget);
    const leftBytes = bytes.length - gunzip.bytesWritten;
    if (leftBytes === 0) return lease;
    // zlib ignores zeros behind a member, and whatever follows them; Go looks for one more header there.
    lease.release();
    throw malformed(leftBytes < GZIP_HEADER_BYTES ? 'unexpected EOF' : 'gzip: invalid header');
  } catch (error) {
    gunzip.destroy();
    throw codeOf(error)?.startsWith('Z_') === true ? malformed(goText(error)) : error;
  }
}

function leaseOf(bytes: Buffer, limit: number, budget: Budget): LeasedBytes {
  const { length } = bytes;
  if (length > limit) throw tooLarge();
  if (!budget.tryTake(length)) throw overloaded();
  const release = (): void => {
    budget.give(length);
  };
  return { bytes, release };
}

/** What Go's gzip reader, and so InfluxDB, says where zlib says something else. */
function goText(error: unknown): string {
  const text = messageOf(error);
  if (text === 'unexpected end of file') return 'unexpected EOF';
  if (text === 'incorrect header check') return 'gzip: invalid header';
  if (text === 'incorrect data check') return 'gzip: invalid checksum';
  if (text === 'incorrect length check') return 'gzip: invalid checksum';
  return `gzip: ${text}`;
}

/**
 * Each chunk is taken from the budget as it comes, so that a body that grows too large is stopped while it grows. By
 * events, because an asynchronous iterator costs as much CPU as all the rest of a small request.
 */
function collect(source: Readable, limit: number, budget: Budget): Promise<LeasedBytes> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const release = (): void => {
      budget.give(length);
      length = 0;
    };
    const fail = (error: Error): void => {
      source.off('data', take).off('end', finish);
      release();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (length + chunk.length > limit) fail(tooLarge());
      else if (!budget.tryTake(chunk.length)) fail(overloaded());
      else {
        length += chunk.length;
        chunks.push(chunk);
      }
    };
    const finish = (): void => {
      resolve({ bytes: joined(chunks), release });
    };
    // After the end there is no error any more. `once` would cost a closure more for each.
    source.on('data', take).on('end', finish).on('error', fail);
  });
}

function tooLarge(): ProxyError {
  return new ProxyError('BODY_TOO_LARGE', 'Request Entity Too Large');
}

function malformed(text: string): ProxyError {
  return new ProxyError('BODY_MALFORMED', text);
}

function overloaded(): ProxyError {
  return new ProxyError('OVERLOADED', 'too many bytes in flight, try again');
}
