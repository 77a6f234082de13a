import { MINUS, NINE, ZERO } from './bytes.ts';

/** The largest magnitudes of a signed 64 bit integer, as decimal digits without a leading zero. */
const INT64_MAX = Buffer.from('9223372036854775807');
const INT64_MIN = Buffer.from('9223372036854775808');
export const UINT64_MAX = Buffer.from('18446744073709551615');

/** Any run of so many digits is below 10^18, thus within every 64 bit limit. */
export const SAFE_DIGITS = 18;

/** Offset of the first byte in [at, end) that is no digit, or `end`. */
export function digitsEnd(body: Buffer, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = body[at] as number;
    if (byte < ZERO || byte > NINE) break;
  }
  return at;
}

/**
 * Whether the digits body[start, end) are a number above `limit` (digits without a leading zero). Digits are
 * compared as text, because a hostile line may hold millions of them and big integers take quadratic time.
 */
export function exceeds(body: Buffer, start: number, end: number, limit: Buffer): boolean {
  while (start < end && body[start] === ZERO) start++;
  const digits = end - start;
  if (digits !== limit.length) return digits > limit.length;
  let same = 0;
  while (same < digits && body[start + same] === limit[same]) same++;
  return same < digits && (body[start + same] as number) > (limit[same] as number);
}

/** What is wrong with body[start, end), `-` and digits only, as a signed 64 bit integer; undefined: nothing. */
export function int64Fault(body: Buffer, start: number, end: number): string | undefined {
  const negative = body[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (first === end) return parseIntFault(body, start, end, 'invalid syntax');
  if (!exceeds(body, first, end, negative ? INT64_MIN : INT64_MAX)) return undefined;
  return parseIntFault(body, start, end, 'value out of range');
}

/** The words of Go's strconv, which InfluxDB passes on. */
function parseIntFault(body: Buffer, start: number, end: number, fault: string): string {
  return `strconv.ParseInt: parsing "${body.toString('latin1', start, end)}": ${fault}`;
}
