import { invariant } from '../core/errors.ts';
import type { Count, Name, Span, Statement } from './statement.ts';

/** A replacement of a part of the text that was parsed. */
export interface Edit extends Span {
  readonly text: string;
}

/**
 * The statement's slice of the text it was parsed from, with the edits made. Everything else stays as the client wrote
 * it. Edits must lie within the statement and must not overlap; their order is free.
 */
export function sliceOf(text: string, statement: Span, edits: readonly Edit[] = []): string {
  let slice = '';
  let at = statement.start;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    invariant(
      edit.start >= at && edit.end <= statement.end,
      'edits overlap or leave the statement',
    );
    slice += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return slice + text.slice(at, statement.end);
}

/** Puts another name in a name's place. */
export function rename(name: Name, to: string): Edit {
  // The blank matters: `ON$db` is two tokens, `ON"db"` is one, in which the keyword is lost.
  return { start: name.start, end: name.end, text: ` ${quoteIdentifier(to)}` };
}

/**
 * Takes a LIMIT or OFFSET out of force, by the number 0, which means none. Cutting the clause out is not the same:
 * a comment behind it would come to stand behind a measurement's name, where InfluxDB refuses one.
 */
export function lift({ digits }: Count): Edit {
  return { ...digits, text: ' 0 ' };
}

/** Puts one moment in nanoseconds in the place of each now(). */
export function freezeNow({ nowCalls }: Statement, nanoseconds: bigint): readonly Edit[] {
  // Blanks on both sides: `AND$now()` and `now()AND` are each two tokens, with a number in between one.
  return nowCalls.map(({ start, end }) => ({ start, end, text: ` ${nanoseconds} ` }));
}

/** Any text without NUL, CR or half a surrogate pair can be written as an identifier. */
export function quoteIdentifier(name: string): string {
  invariant(!/[\0\r\ud800-\udfff]/u.test(name), 'this name cannot be written in InfluxQL');
  return `"${name.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}
