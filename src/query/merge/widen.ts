import type { Piece } from '../answer-reader.ts';
import { bytesOf, itemsOf, membersOf } from '../raw-json.ts';

/**
 * What `*` makes of the schemas of all measurements together: each series of a result has the same columns and tags.
 * A server that holds only some of the measurements answers with those that it knows; here the others are added.
 * Names are JSON strings in byte strings.
 */
export interface Shape {
  /** `"time"` first when the answer has it; the others sorted. */
  readonly columns: readonly string[];
  /** Sorted. */
  readonly tags: readonly string[];
}

const TIME = '"time"';

export function shapeOf({ columns, tags }: Pick<Piece, 'columns' | 'tags'>): Shape {
  return {
    columns: itemsOf(columns),
    tags: tags === '' ? [] : membersOf(tags).map(([key]) => key),
  };
}

export function unionOf(shapes: readonly Shape[]): Shape {
  const columns = sortedUnion(shapes.map((shape) => shape.columns));
  return {
    columns: columns.includes(TIME) ? [TIME, ...columns.filter((name) => name !== TIME)] : columns,
    tags: sortedUnion(shapes.map((shape) => shape.tags)),
  };
}

/** What of an answer depends on the schema: the others are left as they are. */
export interface Expansion {
  readonly columns: boolean;
  readonly tags: boolean;
}

/** Brings pieces to one shape; those of one source all have the same columns. */
export class Widening {
  readonly #to: Shape;
  readonly #expands: Expansion;
  readonly #columns: string;
  readonly #padding: string;
  #lastColumns = '';
  /** For each column of the result, its place in the rows; -1: it has none there. */
  #places: readonly number[] = [];
  #isSame = false;

  /** `padding` is what a row shows in a column that its server does not know. */
  constructor(to: Shape, expands: Expansion, padding = 'null') {
    this.#to = to;
    this.#expands = expands;
    this.#padding = padding;
    this.#columns = `[${to.columns.join(',')}]`;
  }

  widened(piece: Piece): Piece {
    const withTags = this.#expands.tags ? { ...piece, tags: this.#tagsOf(piece) } : piece;
    if (!this.#expands.columns) return withTags;
    if (piece.columns !== this.#lastColumns) this.#compare(piece.columns);
    const rows = this.#isSame ? piece.rows : this.#rowsOf(piece);
    return { ...withTags, columns: this.#columns, rows };
  }

  #compare(columns: string): void {
    const given = itemsOf(columns);
    this.#places = this.#to.columns.map((name) => given.indexOf(name));
    this.#isSame = columns === this.#columns;
    this.#lastColumns = columns;
  }

  #rowsOf({ rows }: Piece): string {
    return itemsOf(`[${rows}]`)
      .map((row) => {
        const values = itemsOf(row);
        return `[${this.#places.map((place) => values[place] ?? this.#padding).join(',')}]`;
      })
      .join(',');
  }

  #tagsOf({ tags }: Piece): string {
    if (this.#to.tags.length === 0) return tags;
    const values = new Map(tags === '' ? [] : membersOf(tags));
    return `{${this.#to.tags.map((key) => `${key}:${values.get(key) ?? '""'}`).join(',')}}`;
  }
}

function sortedUnion(lists: readonly (readonly string[])[]): string[] {
  const keys = [...new Set(lists.flat())].map((raw) => ({ raw, bytes: bytesOf(raw) }));
  return keys.toSorted((a, b) => (a.bytes < b.bytes ? -1 : 1)).map(({ raw }) => raw);
}
