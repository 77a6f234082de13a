import type { Piece } from '../answer-reader.ts';
import { itemsOf } from '../raw-json.ts';

/** Brings rows to the columns of another answer, by name. */
export class Widening {
  readonly #to: readonly string[];
  readonly #columns: string;

  constructor({ columns }: Pick<Piece, 'columns'>) {
    this.#to = itemsOf(columns);
    this.#columns = columns;
  }

  /** What is missing is null. */
  widened(piece: Piece): Piece {
    if (piece.columns === this.#columns) return piece;
    const given = itemsOf(piece.columns);
    const places = this.#to.map((name) => given.indexOf(name));
    const rows = itemsOf(`[${piece.rows}]`).map((row) => {
      const values = itemsOf(row);
      return `[${places.map((place) => values[place] ?? 'null').join(',')}]`;
    });
    return { ...piece, columns: this.#columns, rows: rows.join(',') };
  }
}
