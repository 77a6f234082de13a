// AssemblyScript, which compiles to WebAssembly: it looks at sixteen bytes at a time, for which JavaScript has no words. A scan
// takes a third of the time that the best loops in TypeScript took.
//
// The memory, from offset 0:
//
//    text     lines, TEXT_BYTES and a newline at most, and MARGIN_BYTES behind them
//    stops    the offsets in the text, ascending, of all bytes that end a part of a line: `,` `=` blank `"` `\` newline
//    lines    of each line found: where its measurement ends, where the line ends (the newline's offset), 1 if it has a
//             timestamp else 0, and the number of its tags if their keys do not ascend else 0
//
// All are numbers of four bytes. A line begins behind the newline of the one before it.

/** Below what a line needs to exceed a limit on keys. Divisible by 64. */
export const TEXT_BYTES: u32 = 64_000;

/** Reads that begin in the text end there. */
const MARGIN_BYTES: u32 = 64;

const STOPS: u32 = TEXT_BYTES + 1 + MARGIN_BYTES;
const STOP_BYTES: u32 = 4;

export const LINES: u32 = (STOPS + (TEXT_BYTES + 3) * STOP_BYTES + 3) & ~3;
export const LINE_BYTES: u32 = 16;

const TAB: u32 = 0x09;
const NEWLINE: u32 = 0x0a;
const SPACE: u32 = 0x20;
const QUOTE: u32 = 0x22;
const HASH: u32 = 0x23;
const COMMA: u32 = 0x2c;
const MINUS: u32 = 0x2d;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const EQUALS: u32 = 0x3d;
const BACKSLASH: u32 = 0x5c;
const LOWER_F: u32 = 0x66;
const LOWER_I: u32 = 0x69;
const LOWER_T: u32 = 0x74;

/** `true`, `fals`: as a number, lowest byte first. */
const TRUE: u32 = 0x65757274;
const FALS: u32 = 0x736c6166;
const LOWER_E: u32 = 0x65;

/** From here on the number of tags can be one that InfluxDB fails at. */
const MANY_TAGS: u32 = 100;

/** Any run of so many digits is below 10^18, thus within every 64 bit limit. */
const SAFE_DIGITS: u32 = 18;

/** As many as are looked at together. */
const MAX_DIGITS: u32 = 31;

let textBytes: u32 = 0;

/** The first stop that no line before has used. */
let unused: u32 = STOPS;

/** Finds the stops of the first `length` bytes of the text. */
export function index(length: u32): void {
  textBytes = length;
  memory.fill(length, 0, MARGIN_BYTES);
  let stop = STOPS;
  for (let at: u32 = 0; at < length; at += 64) {
    let found =
      (<u64>stopsAt(at)) |
      ((<u64>stopsAt(at + 16)) << 16) |
      ((<u64>stopsAt(at + 32)) << 32) |
      ((<u64>stopsAt(at + 48)) << 48);
    for (; found != 0; found &= found - 1) {
      store<u32>(stop, at + <u32>ctz(found));
      stop += STOP_BYTES;
    }
  }
  // Two stops more, of which no plain line gets past the first.
  store<u8>(length, BACKSLASH);
  store<u8>(length + 1, NEWLINE);
  store<u32>(stop, length);
  store<u32>(stop, length + 1, STOP_BYTES);
  unused = STOPS;
}

/**
 * Reads the plain lines that follow one another from offset `from` of the text on, which is at or behind what earlier calls
 * have read; returns their number. A timestamp may have fewer than `timeDigits` digits, or as many if the first is below
 * `timeHead`.
 */
export function scan(from: u32, timeDigits: u32, timeHead: u32): u32 {
  let stop = unused;
  while (offsetOf(stop) < from) stop += STOP_BYTES;
  let line = LINES;
  for (let start = from; start < textBytes; line += LINE_BYTES) {
    const last = plainLine(start, stop, line, timeDigits, timeHead);
    if (last == 0) break;
    start = offsetOf(last) + 1;
    stop = last + STOP_BYTES;
  }
  unused = stop;
  return (line - LINES) / LINE_BYTES;
}

/** One bit for each of sixteen bytes: whether it is a stop. */
function stopsAt(at: u32): u32 {
  const bytes = v128.load(at);
  const separators = v128.or(
    v128.or(eachIs(bytes, COMMA), eachIs(bytes, EQUALS)),
    v128.or(eachIs(bytes, SPACE), eachIs(bytes, NEWLINE)),
  );
  const others = v128.or(eachIs(bytes, QUOTE), eachIs(bytes, BACKSLASH));
  return i8x16.bitmask(v128.or(separators, others));
}

function eachIs(bytes: v128, byte: u32): v128 {
  return i8x16.eq(bytes, i8x16.splat(<i8>byte));
}

function offsetOf(stop: u32): u32 {
  return load<u32>(stop);
}

function byteOf(stop: u32): u32 {
  return load<u8>(offsetOf(stop));
}

/** The first stop from `stop` on that ends a name: a quote does not. */
function nameStop(stop: u32): u32 {
  while (byteOf(stop) == QUOTE) stop += STOP_BYTES;
  return stop;
}

/** The first stop from `stop` on that ends a tag's value: neither a quote does nor a separator behind a backslash. */
function tagValueStop(stop: u32): u32 {
  for (; byteOf(stop) == QUOTE || byteOf(stop) == BACKSLASH; stop += STOP_BYTES) {
    const next = stop + STOP_BYTES;
    if (byteOf(stop) == QUOTE || !isEmpty(stop, next)) continue;
    if (byteOf(next) != SPACE && byteOf(next) != COMMA && byteOf(next) != EQUALS) break;
    stop = next;
  }
  return stop;
}

/**
 * Reads the line at `start`, of which `stop` is the first stop, and stores it at `line`; returns its last stop, the
 * newline, or 0 when it is not plain: valid, no odd blanks, no backslash but in tag values, as are nearly all lines of real
 * clients. A line that the general path would refuse or read otherwise is never plain.
 */
function plainLine(start: u32, stop: u32, line: u32, timeDigits: u32, timeHead: u32): u32 {
  const head = <u32>load<u8>(start);
  if (isBlank(head) || head == COMMA || head == HASH) return 0;
  while (byteOf(stop) == EQUALS || byteOf(stop) == QUOTE) stop += STOP_BYTES;
  store<u32>(line, offsetOf(stop));

  let tags: u32 = 0;
  let isAscending = true;
  for (let last: u32 = 0; byteOf(stop) == COMMA; tags++) {
    const key = nameStop(stop + STOP_BYTES);
    if (byteOf(key) != EQUALS || isEmpty(stop, key)) return 0;
    if (tags > 0 && isAscending) isAscending = isBelow(last, stop, key);
    last = stop;
    stop = tagValueStop(key + STOP_BYTES);
    if (isEmpty(key, stop)) return 0;
  }
  if (byteOf(stop) != SPACE || tags >= MANY_TAGS) return 0;
  store<u32>(line, isAscending ? 0 : tags, 12);

  do {
    const key = nameStop(stop + STOP_BYTES);
    if (byteOf(key) != EQUALS || isEmpty(stop, key)) return 0;
    stop = valueStop(key);
    if (stop == 0) return 0;
  } while (byteOf(stop) == COMMA);

  const isTimed = byteOf(stop) == SPACE;
  if (isTimed) {
    const first = offsetOf(stop) + 1;
    stop += STOP_BYTES;
    if (!isTimestamp(first, offsetOf(stop), timeDigits, timeHead)) return 0;
  }
  if (byteOf(stop) != NEWLINE) return 0;
  store<u32>(line, offsetOf(stop), 4);
  store<u32>(line, <u32>isTimed, 8);
  return stop;
}

function isBlank(byte: u32): bool {
  return byte == SPACE || byte == TAB || byte == 0;
}

/** Nothing is between two stops. */
function isEmpty(stop: u32, next: u32): bool {
  return offsetOf(next) == offsetOf(stop) + 1;
}

/** Whether the key behind the `,` at `left` is below the one between the `,` at `right` and the `=` at `end`. */
function isBelow(left: u32, right: u32, end: u32): bool {
  const leftAt = offsetOf(left) + 1;
  const rightAt = offsetOf(right) + 1;
  const rightLength = offsetOf(end) - rightAt;
  for (let same: u32 = 0; same <= rightLength; same += 8) {
    const different = load<u64>(leftAt + same) ^ load<u64>(rightAt + same);
    if (different == 0) continue;
    same += <u32>(ctz(different) >> 3);
    const leftByte = <u32>load<u8>(leftAt + same);
    // Where one key ends there is its `=`; beyond it nothing counts.
    if (same > rightLength) return false;
    return leftByte == EQUALS || (same < rightLength && leftByte < <u32>load<u8>(rightAt + same));
  }
  return false;
}

/** The stop that ends the field value behind the `=` at `equals`, or 0 if it is not plain. */
function valueStop(equals: u32): u32 {
  const first = offsetOf(equals) + 1;
  const stop = equals + STOP_BYTES;
  const end = offsetOf(stop);
  if (end == first && byteOf(stop) == QUOTE) return stringStop(stop);
  return isNumber(first, end) || isBoolean(first, end) ? stop : 0;
}

/** The stop behind the string that begins at the quote at `stop`, or 0. It may hold newlines. */
function stringStop(stop: u32): u32 {
  do stop += STOP_BYTES;
  while (byteOf(stop) != QUOTE && byteOf(stop) != BACKSLASH);
  if (byteOf(stop) == BACKSLASH) return 0;
  return isEmpty(stop, stop + STOP_BYTES) ? stop + STOP_BYTES : 0;
}

/** `12`, `-12`, `12i`, `1.2`, `1.`; rare spellings are left to the general path: exponents, `.5`. */
function isNumber(first: u32, end: u32): bool {
  const digits = first + u32(load<u8>(first) == MINUS);
  const length = end - digits;
  if (length == 0 || length > MAX_DIGITS) return false;
  const others = nonDigits(digits, length);
  if (others == 0) return true;
  const whole = ctz(others);
  if (whole == 0 || popcnt(others) > 1) return false;
  const other = <u32>load<u8>(digits + whole);
  return other == DOT || (other == LOWER_I && whole == length - 1 && whole <= SAFE_DIGITS);
}

function isBoolean(first: u32, end: u32): bool {
  const head = <u32>load<u8>(first);
  const length = end - first;
  if (length == 1) return head == LOWER_T || head == LOWER_F;
  if (length == 4) return load<u32>(first) == TRUE;
  return length == 5 && load<u32>(first) == FALS && load<u8>(first + 4) == LOWER_E;
}

function isTimestamp(first: u32, end: u32, timeDigits: u32, timeHead: u32): bool {
  const length = end - first;
  if (length == 0 || length > timeDigits || nonDigits(first, length) != 0) return false;
  return length < timeDigits || <u32>load<u8>(first) < timeHead;
}

/** One bit for each of the `length` bytes at `at`, MAX_DIGITS at most: whether it is no digit. */
function nonDigits(at: u32, length: u32): u32 {
  let found = nonDigitsOf(at);
  if (length > 16) found |= nonDigitsOf(at + 16) << 16;
  return found & ((1 << length) - 1);
}

function nonDigitsOf(at: u32): u32 {
  const values = i8x16.sub(v128.load(at), i8x16.splat(<i8>ZERO));
  return i8x16.bitmask(i8x16.gt_u(values, i8x16.splat(9)));
}
