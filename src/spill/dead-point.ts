import { isUtf8 } from 'node:buffer';

/** A point that a backend refused for good. */
export interface DeadPoint {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  /** The backend's own words. */
  readonly error: string;
  readonly db: string;
  readonly rp: string;
  readonly precision: string;
  /** The line as the client sent it, without its newline. */
  readonly line: Buffer;
}

/** JSON needs up to six characters for a byte, and a string of V8 has at most 2^29. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/**
 * One line of JSON with its newline. JSON holds text only: a line that is not UTF-8, or very long, goes into a field of its
 * own.
 */
export function encodeDeadPoint(point: DeadPoint): string {
  const { timeMs, error, db, rp, precision, line } = point;
  const isText = line.length <= MAX_TEXT_BYTES && isUtf8(line);
  const text = isText ? { line: line.toString() } : { lineBase64: line.toString('base64') };
  const time = new Date(timeMs).toISOString();
  return `${JSON.stringify({ time, error, db, rp, precision, ...text })}\n`;
}

/** `undefined`: the line was not written by `encodeDeadPoint`; people and their tools may have changed the file. */
export function decodeDeadPoint(text: string): DeadPoint | undefined {
  const value = parsed(text);
  const { time, error, db, rp, precision, line, lineBase64 } = value;
  const timeMs = typeof time === 'string' ? Date.parse(time) : NaN;
  if (!isText(error) || !isText(db) || !isText(rp) || !isText(precision)) return undefined;
  if (Number.isNaN(timeMs)) return undefined;
  if (isText(line)) return { timeMs, error, db, rp, precision, line: Buffer.from(line) };
  if (!isText(lineBase64)) return undefined;
  return { timeMs, error, db, rp, precision, line: Buffer.from(lineBase64, 'base64') };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function parsed(text: string): Partial<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
