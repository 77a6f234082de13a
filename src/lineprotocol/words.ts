import { BACKSLASH, EQUALS, MINUS, NINE, QUOTE, ZERO } from './bytes.ts';

// Bytes are looked at in words of four, which doubles the speed of the fast path. Each `...In` below answers a word with
// the high bit set in the first (lowest) byte that is looked for, and with 0 if there is none; higher bytes of a word that
// has one may be wrong, for the subtraction borrows. See "Bit Twiddling Hacks", "Determine if a word has a byte less than n".

/** As a signed integer: a larger one is a float, which each use would convert. */
const HIGH_BITS = 0x80808080 | 0;

/** The word of four times this byte. */
function four(byte: number): number {
  return Math.imul(byte, 0x01010101);
}

const FOUR_ONES = four(1);
const FOUR_MINUS = four(MINUS);
const FOUR_EQUALS = four(EQUALS);
const FOUR_QUOTES = four(QUOTE);
const FOUR_BACKSLASHES = four(BACKSLASH);
const FOUR_ZEROS = four(ZERO);
/** Added to a byte above nine, sets its high bit. */
const FOUR_ABOVE_NINE = four(0x80 - 10);

/** Candidates for the end of a name: `=`, `\` and all below `-` (separators, quotes, blanks, control bytes). */
function nameStopIn(word: number): number {
  const equals = word ^ FOUR_EQUALS;
  const backslash = word ^ FOUR_BACKSLASHES;
  return (
    (((word - FOUR_MINUS) & ~word) |
      ((equals - FOUR_ONES) & ~equals) |
      ((backslash - FOUR_ONES) & ~backslash)) &
    HIGH_BITS
  );
}

function stringStopIn(word: number): number {
  const quote = word ^ FOUR_QUOTES;
  const backslash = word ^ FOUR_BACKSLASHES;
  return (((quote - FOUR_ONES) & ~quote) | ((backslash - FOUR_ONES) & ~backslash)) & HIGH_BITS;
}

function nonDigitIn(word: number): number {
  const value = word ^ FOUR_ZEROS;
  return ((value + FOUR_ABOVE_NINE) | value) & HIGH_BITS;
}

/** Index of the lowest byte of a word that has its high bit set. */
function indexOfLowest(mask: number): number {
  return (31 - Math.clz32(mask & -mask)) >> 3;
}

/** Offset of the first `=`, `\` or byte below `-` from `at` on, or `end`. */
export function nameStop(view: DataView, at: number, end: number): number {
  for (; at + 4 <= end; at += 4) {
    const mask = nameStopIn(view.getInt32(at, true));
    if (mask !== 0) return at + indexOfLowest(mask);
  }
  return nameStopInTail(view, at, end);
}

function nameStopInTail(view: DataView, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = view.getUint8(at);
    if (byte < MINUS || byte === EQUALS || byte === BACKSLASH) break;
  }
  return at;
}

/** Offset of the first quote or backslash from `at` on, or `end`. */
export function stringStop(view: DataView, at: number, end: number): number {
  for (; at + 4 <= end; at += 4) {
    const mask = stringStopIn(view.getInt32(at, true));
    if (mask !== 0) return at + indexOfLowest(mask);
  }
  for (; at < end; at++) {
    const byte = view.getUint8(at);
    if (byte === QUOTE || byte === BACKSLASH) break;
  }
  return at;
}

/** Offset of the first byte from `at` on that is no digit, or `end`. */
export function numberStop(view: DataView, at: number, end: number): number {
  for (; at + 4 <= end; at += 4) {
    const mask = nonDigitIn(view.getInt32(at, true));
    if (mask !== 0) return at + indexOfLowest(mask);
  }
  return numberStopInTail(view, at, end);
}

function numberStopInTail(view: DataView, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = view.getUint8(at);
    if (byte < ZERO || byte > NINE) break;
  }
  return at;
}
