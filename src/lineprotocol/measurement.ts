import { BACKSLASH, COMMA, EQUALS, QUOTE, blanksEnd, SPACE } from './bytes.ts';

/**
 * The routing key: the measurement body[start, end) as InfluxDB 1.x lists it (`SHOW MEASUREMENTS`), which undoes `\,`,
 * `\ `, `\=` and `\"`. Any other backslash is a byte of the name, also one before a backslash.
 */
export function measurementName(body: Buffer, start: number, end: number): string {
  start = blanksEnd(body, start, end);
  for (let at = start; at < end; at++) {
    if (body[at] === BACKSLASH) return unescapedName(body, start, end);
  }
  return body.toString('utf8', start, end);
}

function unescapedName(body: Buffer, start: number, end: number): string {
  const name = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    if (body[at] === BACKSLASH && at + 1 < end && isEscapable(body[at + 1])) at++;
    name[length++] = body.readUInt8(at);
  }
  return name.toString('utf8', 0, length);
}

function isEscapable(byte: number | undefined): boolean {
  return byte === COMMA || byte === SPACE || byte === EQUALS || byte === QUOTE;
}
