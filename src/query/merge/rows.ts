import type { Piece } from '../answer-reader.ts';
import { bytesOf, itemsOf } from '../raw-json.ts';
import type { Named } from './by-name.ts';

/** Rows of a piece, one behind the other, that are about the same measurement. */
export interface Run extends Named {
  readonly rows: readonly string[];
}

/** Which measurement a row is about, as a byte string. */
export type NameOfRow = (row: string) => string;

/** SHOW MEASUREMENTS: `["cpu"]`. */
export const nameOfMeasurementRow: NameOfRow = (row) => bytesOf(row.slice(1, -1));

/** SHOW SERIES: `["cpu,host=a"]`, the key as line protocol has it. */
export const nameOfKeyRow: NameOfRow = (row) => {
  const key = bytesOf(row.slice(1, -1));
  const name = /^(?:\\.|[^,\\])*/s.exec(key)?.[0] ?? key;
  return name.replace(/\\([, ])/g, '$1');
};

/** The rows of a piece in runs. */
export function runsOf({ rows }: Piece, nameOfRow: NameOfRow): Run[] {
  const runs: { name: string; rows: string[] }[] = [];
  for (const row of itemsOf(`[${rows}]`)) {
    const name = nameOfRow(row);
    const last = runs.at(-1);
    if (last?.name === name) last.rows.push(row);
    else runs.push({ name, rows: [row] });
  }
  return runs;
}

/** Lets through what LIMIT and OFFSET let through; `limit` 0 is none. */
export class RowWindow {
  #toSkip: number;
  #left: number;

  constructor(limit: number, offset: number) {
    this.#toSkip = offset;
    this.#left = limit === 0 ? Infinity : limit;
  }

  get isFull(): boolean {
    return this.#left === 0;
  }

  take(rows: readonly string[]): readonly string[] {
    const skipped = Math.min(this.#toSkip, rows.length);
    const taken = rows.slice(skipped, skipped + this.#left);
    this.#toSkip -= skipped;
    this.#left -= taken.length;
    return taken;
  }
}

/** What the pieces of one series have in common. */
export type Heading = Pick<Piece, 'name' | 'tags' | 'columns'>;

/** The rows as one series, in pieces of at most `size` rows. Nothing when there are no rows. */
export async function* piecesOf(
  headingOf: () => Heading,
  rowLists: AsyncIterable<readonly string[]>,
  size: number,
): AsyncGenerator<Piece, void, undefined> {
  let rows: string[] = [];
  const cut = (partial: boolean): Piece => {
    const piece = rows.slice(0, size);
    rows = rows.slice(size);
    return { kind: 'piece', ...headingOf(), rows: piece.join(','), partial };
  };
  for await (const more of rowLists) {
    for (const row of more) rows.push(row);
    while (rows.length > size) yield cut(true);
  }
  if (rows.length > 0) yield cut(false);
}
