import type { Item, Piece } from './answer-reader.ts';
import { StatementFailed } from './failure.ts';
import { rawOf } from './raw-json.ts';

/** What InfluxDB says of the statements behind one that failed. */
const NOT_EXECUTED = 'not executed';

/** The answer to one statement of a query. */
export interface Result {
  /** Throws StatementFailed with what InfluxDB, or the proxy, says of a statement that fails. */
  readonly items: AsyncIterable<Item>;
  /** With `chunked=true`: each document of the result but the last one says `partial`. */
  readonly marksPartial: boolean;
}

/**
 * InfluxDB's answer to a query, in pieces of text (byte strings): one document with all results; or, chunked, a document
 * for each piece. A statement that fails ends it as in InfluxDB 1.11: its own error, then `not executed` for the others.
 * Results are iterated one after the other.
 */
export async function* envelopeOf(
  results: readonly Result[],
  isChunked: boolean,
): AsyncGenerator<string, void, undefined> {
  if (!isChunked) yield '{"results":[';
  let failed = false;
  for (const [id, result] of results.entries()) {
    if (!isChunked && id > 0) yield ',';
    const { items, marksPartial }: Result = failed ? UNEXECUTED : result;
    const end: End = isChunked
      ? yield* documents(id, items, marksPartial)
      : yield* whole(id, items);
    failed ||= end === 'failed';
  }
  if (!isChunked) yield ']}\n';
}

type End = 'done' | 'failed';

const UNEXECUTED: Result = {
  items: {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new StatementFailed(NOT_EXECUTED)),
    }),
  },
  marksPartial: false,
};

/** One result with all its series; those that come in several pieces are joined. */
async function* whole(id: number, items: AsyncIterable<Item>): AsyncGenerator<string, End> {
  yield `{"statement_id":${id}`;
  const messages: string[] = [];
  let last: Piece | undefined;
  let error = '';
  try {
    for await (const item of items) {
      if (item.kind === 'messages') messages.push(...item.messages);
      else {
        yield last === undefined ? ',"series":[' : last.partial ? ',' : `${tailOf(last)},`;
        yield last?.partial === true ? item.rows : headOf(item) + item.rows;
        last = item;
      }
    }
  } catch (failure) {
    error = errorOf(failure);
  }
  if (last !== undefined) yield `${tailOf(last)}]`;
  yield `${messagesOf(messages)}${error}}`;
  return error === '' ? 'done' : 'failed';
}

/** One document for each piece. */
async function* documents(
  id: number,
  items: AsyncIterable<Item>,
  marksPartial: boolean,
): AsyncGenerator<string, End> {
  const messages: string[] = [];
  let last: Piece | undefined;
  let error = '';
  const document = (inner: string): string => `{"results":[{"statement_id":${id}${inner}}]}\n`;
  try {
    for await (const item of items) {
      if (item.kind === 'messages') messages.push(...item.messages);
      else {
        if (last !== undefined) {
          yield document(seriesOf(last) + (marksPartial ? ',"partial":true' : ''));
        }
        last = item;
      }
    }
  } catch (failure) {
    error = errorOf(failure);
  }
  if (last !== undefined && error !== '') yield document(`${seriesOf(last)},"partial":true`);
  const series = last === undefined || error !== '' ? '' : seriesOf(last);
  yield document(`${series}${messagesOf(messages)}${error}`);
  return error === '' ? 'done' : 'failed';
}

function seriesOf(piece: Piece): string {
  const partial = piece.partial ? ',"partial":true' : '';
  return `,"series":[${headOf(piece)}${piece.rows}${piece.rows === '' ? '' : ']'}${partial}}]`;
}

/** Up to the rows. */
function headOf({ name, tags, columns, rows }: Piece): string {
  const parts = [
    ...(name === '' ? [] : [`"name":${name}`]),
    ...(tags === '' ? [] : [`"tags":${tags}`]),
    `"columns":${columns}`,
  ];
  return `{${parts.join(',')}${rows === '' ? '' : ',"values":['}`;
}

function tailOf({ rows }: Piece): string {
  return rows === '' ? '}' : ']}';
}

function messagesOf(messages: readonly string[]): string {
  const distinct = [...new Set(messages)];
  return distinct.length === 0 ? '' : `,"messages":[${distinct.join(',')}]`;
}

function errorOf(failure: unknown): string {
  if (!(failure instanceof StatementFailed)) throw failure;
  return `,"error":${rawOf(failure.message)}`;
}
