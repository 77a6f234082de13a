import { isServerError } from '../backend/outcome.ts';
import { StatementFailed } from './failure.ts';
import type { Lease } from './lease.ts';
import { itemsOf, JsonCursor, MalformedAnswer, textOf } from './raw-json.ts';

/** One series, or a part of one, as the server wrote it. All texts are JSON in byte strings, see raw-json.ts. */
export interface Piece {
  readonly kind: 'piece';
  /** Empty: it has none, as the rows of SHOW SERIES. */
  readonly name: string;
  /** An object; empty: none. */
  readonly tags: string;
  /** An array of strings. */
  readonly columns: string;
  /** The inside of an array of arrays: `[1,2],[3,4]`. */
  readonly rows: string;
  /** More rows of the same series follow, in the next piece. */
  readonly partial: boolean;
}

/** What the answer to one statement consists of, in order: pieces, then messages. */
export type Item = Piece | { readonly kind: 'messages'; readonly messages: readonly string[] };

const LINE_FEED = 0x0a;

/**
 * Reads the answer to one statement, asked for with `chunked=true`: a document a line. What is held, one line, counts
 * against the lease. Ending the iteration early destroys the body. Throws StatementFailed with the server's words when
 * the statement failed, MalformedAnswer when this is no answer, another error when the server failed.
 */
export async function* readItems(
  body: AsyncIterable<Buffer> | Iterable<Buffer>,
  lease: Lease,
): AsyncGenerator<Item, void, undefined> {
  let isEmpty = true;
  for await (const line of linesOf(body, lease)) {
    if (line === '') continue;
    isEmpty = false;
    const { items, error } = parseAnswer(line);
    yield* items;
    if (error !== undefined) throw failureOf(textOf(error));
  }
  if (isEmpty) throw new MalformedAnswer('the answer is empty');
}

function failureOf(error: string): Error {
  return isServerError(error) ? new Error(error) : new StatementFailed(error);
}

/** One document; `error` is a JSON string, as the server wrote it. */
export interface ParsedAnswer {
  readonly items: readonly Item[];
  readonly error: string | undefined;
}

/** Throws MalformedAnswer. */
export function parseAnswer(document: string): ParsedAnswer {
  const answer: Draft = { items: [], messages: [], error: undefined };
  const cursor = new JsonCursor(document);
  cursor.object((key) => {
    if (key === 'error') answer.error = cursor.raw();
    else if (key !== 'results') cursor.raw();
    else {
      cursor.array(() => {
        readResult(cursor, answer);
      });
    }
  });
  cursor.end();
  const { items, messages, error } = answer;
  if (messages.length > 0) items.push({ kind: 'messages', messages });
  return { items, error };
}

interface Draft {
  readonly items: Item[];
  readonly messages: string[];
  error: string | undefined;
}

function readResult(cursor: JsonCursor, answer: Draft): void {
  cursor.object((key) => {
    if (key === 'series') cursor.array(() => answer.items.push(readSeries(cursor)));
    else if (key === 'messages') answer.messages.push(...itemsOf(cursor.raw()));
    else if (key === 'error') answer.error = cursor.raw();
    else cursor.raw();
  });
}

function readSeries(cursor: JsonCursor): Piece {
  const parts = { name: '', tags: '', columns: '[]', values: '[]', partial: 'false' };
  cursor.object((key) => {
    const value = cursor.raw();
    if (Object.hasOwn(parts, key)) parts[key as keyof typeof parts] = value;
  });
  const { name, tags, columns, values, partial } = parts;
  const rows = values.slice(1, -1);
  return { kind: 'piece', name, tags, columns, rows, partial: partial === 'true' };
}

async function* linesOf(
  body: AsyncIterable<Buffer> | Iterable<Buffer>,
  lease: Lease,
): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  const hold = (bytes: Buffer): void => {
    lease.take(bytes.length);
    heldBytes += bytes.length;
    held.push(bytes);
  };
  const line = (): string => {
    const text = Buffer.concat(held).toString('latin1');
    held = [];
    return text;
  };
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      hold(chunk.subarray(from, end));
      yield line();
      lease.give(heldBytes);
      heldBytes = 0;
      from = end + 1;
    }
    hold(chunk.subarray(from));
  }
  yield line();
  lease.give(heldBytes);
}
