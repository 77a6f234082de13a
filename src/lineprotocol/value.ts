import { COMMA, DOT, isDigit, MINUS, PLUS, QUOTE, SPACE } from './bytes.ts';
import { digitsEnd, exceeds, int64Fault, SAFE_DIGITS, UINT64_MAX } from './decimal.ts';
import { INVALID_NUMBER, type LineScan } from './line-scan.ts';

const LOWER_E = 0x65;
const UPPER_E = 0x45;
const LOWER_I = 0x69;
const LOWER_N = 0x6e;
const UPPER_N = 0x4e;
const LOWER_U = 0x75;

/** InfluxDB converts a float only if it is this long or has an exponent; a shorter one cannot be out of range. */
const LONG_FLOAT_BYTES = 25;

/**
 * Offset after the field value that begins at `at`, which is within the line and no `,` or space. A string is left to
 * the caller: its offset is returned unchanged.
 */
export function scanValue(scan: LineScan, at: number): number {
  const head = scan.body[at];
  if (head === QUOTE) return at;
  const numeric =
    isDigit(head) || head === DOT || head === MINUS || head === LOWER_N || head === UPPER_N;
  return numeric ? scanNumber(scan, at) : scanBoolean(scan, at);
}

/** Offset of the `,` or space after `at`, or the end of the line. */
function valueEnd(scan: LineScan, at: number): number {
  const { body, end } = scan;
  while (at < end && body[at] !== COMMA && body[at] !== SPACE) at++;
  return at;
}

const TRUTHS: ReadonlySet<string> = new Set('t T true True TRUE f F false False FALSE'.split(' '));
const LONGEST_TRUTH = 5;

function scanBoolean(scan: LineScan, start: number): number {
  const end = valueEnd(scan, start);
  if (end - start > LONGEST_TRUTH || !TRUTHS.has(scan.body.toString('latin1', start, end))) {
    return scan.refuse('invalid boolean');
  }
  return end;
}

function scanNumber(scan: LineScan, start: number): number {
  const { body } = scan;
  const end = valueEnd(scan, start);
  const last = body[end - 1];
  const first = body[start] === MINUS ? start + 1 : start;
  if (last === LOWER_I) return scanInteger(scan, start, end);
  if (last === LOWER_U && first === start) return scanUnsigned(scan, start, end);
  const fault = floatFault(body, start, end);
  return fault === undefined ? end : scan.refuse(fault);
}

function scanInteger(scan: LineScan, start: number, end: number): number {
  const { body } = scan;
  const digits = body[start] === MINUS ? start + 1 : start;
  if (digits === end - 1 || digitsEnd(body, digits, end) !== end - 1) {
    return scan.refuse(INVALID_NUMBER);
  }
  const fault = end - 1 - start > SAFE_DIGITS ? int64Fault(body, start, end - 1) : undefined;
  if (fault === undefined) return end;
  return scan.refuse(
    `unable to parse integer ${body.toString('latin1', start, end - 1)}: ${fault}`,
  );
}

/** InfluxDB 1.x is built without unsigned fields, 2.x takes them: a proxy that may stand before either lets them pass. */
function scanUnsigned(scan: LineScan, start: number, end: number): number {
  const { body } = scan;
  const wellFormed = digitsEnd(body, start, end) === end - 1;
  if (!wellFormed || exceeds(body, start, end - 1, UINT64_MAX)) return scan.refuse(INVALID_NUMBER);
  scan.unsigned = true;
  return end;
}

/**
 * What is wrong with body[start, end) as a float. InfluxDB looks at the bytes one by
 * one ("invalid number"), and lets strconv judge only what is long or has an exponent ("invalid float").
 */
function floatFault(body: Buffer, start: number, end: number): string | undefined {
  const first = body[start] === MINUS ? start + 1 : start;
  let dots = 0;
  let exponents = 0;
  for (let at = first; at < end; at++) {
    const byte = body[at];
    if (isDigit(byte)) continue;
    if (byte === DOT) dots++;
    else if (isExponent(byte) && at > start) exponents++;
    else if (!(isSign(byte) && isExponent(body[at - 1]))) return INVALID_NUMBER;
  }
  if (dots > 1 || end - first === dots) return INVALID_NUMBER;
  const judged = exponents > 0 || end - start >= LONG_FLOAT_BYTES;
  return judged && !isFloat(body, first, end) ? 'invalid float' : undefined;
}

function isExponent(byte: number | undefined): boolean {
  return byte === LOWER_E || byte === UPPER_E;
}

function isSign(byte: number | undefined): boolean {
  return byte === PLUS || byte === MINUS;
}

/** Whether the digits, dots, exponents and signs of body[start, end) are a finite float. */
function isFloat(body: Buffer, start: number, end: number): boolean {
  const whole = digitsEnd(body, start, end);
  const mantissa = body[whole] === DOT ? digitsEnd(body, whole + 1, end) : whole;
  // Number() would take "" and "1e5 ", but no such text comes here: only a mantissa without a digit needs care.
  return mantissa > start && Number.isFinite(Number(body.toString('latin1', start, end)));
}
