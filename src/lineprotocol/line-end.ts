import { BACKSLASH, COMMA, EQUALS, NEWLINE, QUOTE, SPACE } from './bytes.ts';

/**
 * Offset of the newline that ends the line at body[at], or a value >= `end` when none does: `end`, or `end + 1`
 * when the last byte is a backslash that would escape what follows.
 *
 * InfluxDB 1.x splits a body before it looks at what the lines mean. A newline in a quoted string does not end a
 * line; a quote counts as one only after a first space (also a leading one) and when more `=` than `,` have been
 * seen since. So a comment can hold a quote as well, and an unbalanced one swallows all that follows.
 */
export function lineEnd(body: Buffer, at: number, end: number): number {
  while (at < end) {
    const byte = body[at];
    if (byte === SPACE) return fieldsEnd(body, at, end);
    if (byte === NEWLINE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at;
}

function fieldsEnd(body: Buffer, at: number, end: number): number {
  let unansweredEquals = 0; // `=` less `,` outside quotes
  while (at < end) {
    const byte = body[at];
    if (byte === NEWLINE) return at;
    if (byte === EQUALS) unansweredEquals++;
    else if (byte === COMMA) unansweredEquals--;
    else if (byte === QUOTE && unansweredEquals > 0) at = closingQuote(body, at + 1, end);
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** Offset of the quote that closes a string whose first byte is body[at], or a value >= `end`. */
function closingQuote(body: Buffer, at: number, end: number): number {
  while (at < end && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

/**
 * Whether body[start, end), followed by a newline, is read as exactly one line. It is not when it ends within
 * quotes or in a backslash: the line would swallow the next one.
 */
export function isOneLine(body: Buffer, start: number, end: number): boolean {
  return lineEnd(body, start, end) === end;
}
