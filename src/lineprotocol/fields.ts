import { BACKSLASH, COMMA, EQUALS, QUOTE, SPACE } from './bytes.ts';
import { isEscaped } from './key.ts';
import { type LineScan, REFUSED } from './line-scan.ts';
import { scanValue } from './value.ts';

/** InfluxDB's limit of measurement and tags, and of these together with a field's key and a separator of 4 bytes. */
export const MAX_KEY_BYTES = 65535;
const FIELD_SEPARATOR_BYTES = 4;

export function keyTooLong(bytes: number): string {
  return `max key length exceeded: ${bytes} > ${MAX_KEY_BYTES}`;
}

/**
 * Offset of the space that ends the fields which begin at `at`, or the end of the line.
 *
 * InfluxDB does not parse fields one after the other: it counts `=` and `,` outside of numbers, booleans and strings and
 * only asks at the end whether they match. Here a backslash takes the next byte with it, whatever that is.
 */
export function scanFields(scan: LineScan, at: number): number {
  const { body, end } = scan;
  let equals = 0;
  let commas = 0;
  while (at < end && body[at] !== SPACE) {
    const byte = body[at];
    if (byte === BACKSLASH) {
      scan.ambiguous = true;
      at = Math.min(at + 2, end);
    } else if (byte === QUOTE && equals > commas) {
      at = stringEnd(body, at + 1, end);
      if (at > end) return scan.refuse('unbalanced quotes');
    } else if (byte === EQUALS) {
      if (equals > commas) scan.ambiguous = true;
      equals++;
      at = scanAssignment(scan, at);
      if (at === REFUSED) return REFUSED;
    } else {
      if (byte === COMMA) commas++;
      at++;
    }
  }
  if (equals === 0 || commas !== equals - 1) return scan.refuse('invalid field format');
  return at;
}

/** Offset after the value that follows the `=` at `at`; of the value itself if it is a string. */
function scanAssignment(scan: LineScan, at: number): number {
  const { body, end } = scan;
  const before = body[at - 1];
  // Not the rule of tags: a comma or space counts as escaped by the byte before it, even if that is half of `\\`.
  if ((before === SPACE || before === COMMA) && !isEscaped(body, at - 1)) {
    return scan.refuse('missing field key');
  }
  const after = body[at + 1];
  if (at + 1 >= end || after === COMMA || after === SPACE)
    return scan.refuse('missing field value');
  return scanValue(scan, at + 1);
}

/** Offset after the quote that closes the string which begins at `at`, or beyond `end` if there is none. */
function stringEnd(body: Buffer, at: number, end: number): number {
  while (at < end && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Below this many bytes of key and fields, all series keys are short enough. */
const SHORT_BYTES = MAX_KEY_BYTES - FIELD_SEPARATOR_BYTES;

/**
 * InfluxDB walks over accepted fields once more, by other rules for escapes, to look at the length of each series key.
 * What it cannot walk over it refuses. Offsets: of the fields, body[at, end).
 */
export function scanFieldKeys(scan: LineScan, at: number, end: number, keyBytes: number): number {
  const { body } = scan;
  if (!scan.ambiguous && keyBytes + end - at < SHORT_BYTES) return end;
  while (at < end) {
    const equals = fieldKeyEnd(body, at, end);
    if (equals >= end - 1) {
      return scan.refuse(`invalid value: field-key=${body.toString('utf8', at, equals)}`);
    }
    const bytes = keyBytes + FIELD_SEPARATOR_BYTES + (equals - at);
    if (bytes > MAX_KEY_BYTES) return scan.refuse(keyTooLong(bytes));
    at = fieldValueEnd(body, equals + 1, end) + 1;
  }
  return end;
}

/**
 * InfluxDB stores the fields as that second look sees them, and where its two readings differ a value may be none. Then 1.6.7
 * answers 500 for the whole request, at each attempt, or its process ends (`m a\\="b,c=" 1`). Such a line must reach no
 * backend. Returns `end`.
 */
export function scanStoredValues(scan: LineScan, at: number, end: number): number {
  const { body } = scan;
  if (!scan.ambiguous) return end;
  while (at < end) {
    const value = fieldKeyEnd(body, at, end) + 1;
    at = fieldValueEnd(body, value, end);
    if (!isStorable(scan, value, at)) return REFUSED;
    at++;
  }
  return end;
}

function isStorable(scan: LineScan, start: number, end: number): boolean {
  const head = scan.body[start];
  if (head === QUOTE && end - start > 1) return true;
  if (head !== QUOTE && start < end) {
    const stop = scanValue(scan, start);
    if (stop === end || stop === REFUSED) return stop === end;
  }
  scan.refuse('invalid field format');
  return false;
}

function fieldKeyEnd(body: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (body[at] !== EQUALS || (at > start && isEscaped(body, at)))) at++;
  return at;
}

/** Offset of the `,` after the field value that begins at `at`, or `end`. */
function fieldValueEnd(body: Buffer, at: number, end: number): number {
  let quoted = false;
  for (; at < end; at++) {
    const byte = body[at];
    if (byte === QUOTE) quoted = !quoted;
    else if (byte === COMMA && !quoted) return at;
    else if (byte === BACKSLASH && at + 1 < end && isEscapable(body[at + 1])) at++;
  }
  return end;
}

function isEscapable(byte: number | undefined): boolean {
  return byte === QUOTE || byte === BACKSLASH;
}
