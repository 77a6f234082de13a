import {
  BACKSLASH,
  COMMA,
  DOT,
  EQUALS,
  HASH,
  isBlank,
  MINUS,
  NEWLINE,
  QUOTE,
  SPACE,
  spacesEnd,
} from './bytes.ts';
import { exceeds, SAFE_DIGITS } from './decimal.ts';
import { hasDuplicateTags } from './key.ts';
import { type LineScan, REFUSED } from './line-scan.ts';
import { MAX_TIMESTAMP } from './timestamp.ts';
import { LONG_FLOAT_BYTES } from './value.ts';
import { nameStop, numberStop, stringStop } from './words.ts';

/** Lines below this size cannot exceed a limit on keys. */
const SHORT_LINE_BYTES = 65_000;

/** From here on the number of tags can be one that InfluxDB fails at. */
const MANY_TAGS = 100;

/**
 * The fast path: reads the line at body[at] if it is plain, in one pass that finds its end on the way. Plain are nearly all
 * lines of real clients: valid, no backslash, no odd blanks. Returns false, with the scan in any state, where a line is not
 * plain or where that takes more than a glance to see; the general path then judges. It must never accept a line that the
 * general path refuses or reads otherwise.
 */
export function scanPlainLine(scan: LineScan, at: number): boolean {
  const keyEnd = plainKey(scan, at);
  if (keyEnd === REFUSED) return false;
  const fieldsEnd = plainFields(scan, keyEnd + 1);
  if (fieldsEnd === REFUSED) return false;
  const end = plainTimestamp(scan, fieldsEnd);
  scan.end = end;
  return end !== REFUSED && end - at < SHORT_LINE_BYTES;
}

// The functions below are cut so that V8 compiles each search for a byte into the loop that needs it: it does so until a
// function has grown to a certain size, and what is rare stands apart. That saves a third of the time of a scan.

/** Offset of the space after measurement and tags. */
function plainKey(scan: LineScan, at: number): number {
  const { body, view } = scan;
  const end = body.length;
  const head = body[at];
  if (isBlank(head) || head === COMMA || head === HASH) return REFUSED;
  at = nameStop(view, at, end);
  while (body[at] !== COMMA && body[at] !== SPACE) {
    if (at >= end || body[at] === NEWLINE || body[at] === BACKSLASH) return REFUSED;
    at = nameStop(view, at + 1, end);
  }
  scan.measurementEnd = at;
  return plainTags(scan, at);
}

/** Offset of the space after the tags, of which the first begins with the `,` at `at`. */
function plainTags(scan: LineScan, at: number): number {
  const { body, view } = scan;
  const end = body.length;
  const first = at;
  let tags = 0;
  let sorted = true;
  let previous = at;
  while (body[at] === COMMA) {
    let equals = nameStop(view, at + 1, end);
    if (body[equals] !== EQUALS) equals = nameEnd(scan, equals);
    if (body[equals] !== EQUALS || equals === at + 1) return REFUSED;
    if (tags > 0 && sorted) sorted = isBefore(body, previous, at);
    previous = at;
    tags++;
    at = nameStop(view, equals + 1, end);
    if (body[at] !== COMMA && body[at] !== SPACE) at = nameEnd(scan, at);
    if (at === equals + 1) return REFUSED;
  }
  if (body[at] !== SPACE || tags >= MANY_TAGS) return REFUSED;
  return sorted || !hasDuplicateTags(body, first, tags) ? at : REFUSED;
}

/** Whether the first tag's key is below the second's; both end in a `=`. Without this, few lines would be plain. */
function isBefore(body: Buffer, left: number, right: number): boolean {
  for (;;) {
    const a = body[++left] as number;
    const b = body[++right] as number;
    if (a !== b) return a === EQUALS || (a < b && b !== EQUALS);
    if (a === EQUALS) return false;
  }
}

/** Offset of the first `=`, `,`, space, newline or backslash from the stop at `at` on, or the end of the body. */
function nameEnd({ body, view }: LineScan, at: number): number {
  while (at < body.length && !isNameEnd(body[at])) at = nameStop(view, at + 1, body.length);
  return at;
}

function isNameEnd(byte: number | undefined): boolean {
  return (
    byte === EQUALS || byte === COMMA || byte === SPACE || byte === NEWLINE || byte === BACKSLASH
  );
}

/** Offset of the space, newline or end of body after the fields. */
function plainFields(scan: LineScan, at: number): number {
  const { body, view } = scan;
  const end = body.length;
  if (isBlank(body[at])) return REFUSED;
  for (;;) {
    let equals = nameStop(view, at, end);
    if (body[equals] !== EQUALS) equals = nameEnd(scan, equals);
    if (body[equals] !== EQUALS || equals === at) return REFUSED;
    at = plainValue(scan, equals + 1);
    if (at === REFUSED) return REFUSED;
    if (body[at] !== COMMA) break;
    at++;
  }
  return at >= end || body[at] === SPACE || body[at] === NEWLINE ? at : REFUSED;
}

const LOWER_F = 0x66;
const LOWER_I = 0x69;
const LOWER_T = 0x74;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

/** Offset after the field value at `at`. Rare spellings are left to the general path: exponents, `TRUE`, `.5`. */
function plainValue(scan: LineScan, at: number): number {
  const { body } = scan;
  const head = body[at];
  if (head === QUOTE) return plainString(scan, at + 1);
  if (head === LOWER_T) return plainWord(body, at, TRUE);
  if (head === LOWER_F) return plainWord(body, at, FALSE);
  return plainNumber(scan, at);
}

function plainNumber({ body, view }: LineScan, at: number): number {
  const end = body.length;
  const first = body[at] === MINUS ? at + 1 : at;
  const whole = numberStop(view, first, end);
  if (whole === first || whole - first > SAFE_DIGITS) return REFUSED;
  if (body[whole] === LOWER_I) return whole + 1;
  if (body[whole] !== DOT) return whole;
  const fraction = numberStop(view, whole + 1, end);
  return fraction - at < LONG_FLOAT_BYTES ? fraction : REFUSED;
}

/** Offset after `word` or its first letter. */
function plainWord(body: Buffer, at: number, word: Buffer): number {
  let length = 1;
  while (length < word.length && body[at + length] === word[length]) length++;
  return length === word.length || length === 1 ? at + length : REFUSED;
}

/** Offset after the quote that closes the string whose first byte is body[at]. It may hold newlines. */
function plainString({ body, view }: LineScan, at: number): number {
  at = stringStop(view, at, body.length);
  return body[at] === QUOTE ? at + 1 : REFUSED;
}

/** Offset of the newline or end of body that ends the line; body[at] is the space after the fields or that end. */
function plainTimestamp(scan: LineScan, at: number): number {
  const { body, view } = scan;
  const end = body.length;
  scan.timed = false;
  at = spacesEnd(body, at, end);
  if (at >= end || body[at] === NEWLINE) return at;
  const first = body[at] === MINUS ? at + 1 : at;
  const last = numberStop(view, first, end);
  if (last === first || exceeds(body, first, last, MAX_TIMESTAMP[scan.precision])) return REFUSED;
  scan.timed = true;
  const stop = spacesEnd(body, last, end);
  return stop >= end || body[stop] === NEWLINE ? stop : REFUSED;
}
