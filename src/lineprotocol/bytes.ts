/** Bytes that mean something in line protocol. */
export const NUL = 0x00;
export const TAB = 0x09;
export const NEWLINE = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** What InfluxDB skips in front of a line, of the fields and of the timestamp. Only a space *ends* a part. */
export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === NUL;
}

/** The first offset in [at, end) that is no blank, or `end`. */
export function blanksEnd(body: Buffer, at: number, end: number): number {
  while (at < end && isBlank(body[at])) at++;
  return at;
}

/** The first offset in [at, end) that is no space, or `end`. */
export function spacesEnd(body: Buffer, at: number, end: number): number {
  while (at < end && body[at] === SPACE) at++;
  return at;
}
