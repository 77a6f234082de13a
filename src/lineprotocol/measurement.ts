import { BACKSLASH, blanksEnd, COMMA, EQUALS, QUOTE, SPACE } from './bytes.ts';

/**
 * The routing key: the measurement body[start, end) as InfluxDB 1.6.7 lists it (`SHOW MEASUREMENTS`). It undoes `\,`, `\ `,
 * `\=` and `\"`, and that twice; any other backslash is a byte of the name.
 */
export function measurementName(body: Buffer, start: number, end: number): string {
  start = blanksEnd(body, start, end);
  for (let at = start; at < end; at++) {
    if (body[at] !== BACKSLASH) continue;
    return unescaped(unescaped(body.subarray(start, end))).toString();
  }
  return body.toString('utf8', start, end);
}

function unescaped(name: Buffer): Buffer {
  const result = Buffer.allocUnsafe(name.length);
  let length = 0;
  for (let at = 0; at < name.length; at++) {
    if (name[at] === BACKSLASH && isEscapable(name[at + 1])) at++;
    result[length++] = name.readUInt8(at);
  }
  return result.subarray(0, length);
}

function isEscapable(byte: number | undefined): boolean {
  return byte === COMMA || byte === SPACE || byte === EQUALS || byte === QUOTE;
}
