import { type Edit, quoteIdentifier, sliceOf } from '../../influxql/edit.ts';
import { parseQuery } from '../../influxql/parser.ts';
import { databasesOf, type Name } from '../../influxql/statement.ts';
import type { Piece } from '../answer-reader.ts';
import { itemsOf, rawOf, textOf } from '../raw-json.ts';
import { Widening } from './widen.ts';

// What servers say of their databases, told with the name that clients know.

/** The pieces of one server, and what it calls the database. */
export interface ServerPieces {
  readonly server: string;
  readonly db: string;
  readonly pieces: readonly Piece[];
}

/** SHOW RETENTION POLICIES: each policy once, as the first server that has it tells it; a message for each that differs. */
export function policiesOf(servers: readonly ServerPieces[]): {
  readonly piece: Piece | undefined;
  readonly messages: readonly string[];
} {
  const [first] = servers.flatMap(({ pieces }) => pieces);
  if (first === undefined) return { piece: undefined, messages: [] };
  // Newer versions have more columns.
  const widening = new Widening(first);
  const found = new Map<string, { row: string; server: string }>();
  const messages: string[] = [];
  for (const { server, pieces } of servers) {
    for (const row of pieces.flatMap((piece) => itemsOf(`[${widening.widened(piece).rows}]`))) {
      const [name = '""'] = itemsOf(row);
      const known = found.get(name);
      if (known === undefined) found.set(name, { row, server });
      else if (known.row !== row)
        messages.push(differingPolicy(textOf(name), known.server, server));
    }
  }
  const rows = [...found.values()].map(({ row }) => row).join(',');
  return { piece: { ...first, rows, partial: false }, messages };
}

function differingPolicy(name: string, one: string, other: string): string {
  const text = `retention policy ${JSON.stringify(name)} of ${other} differs from that of ${one}, which is shown`;
  return rawOf({ level: 'warning', text });
}

/** SHOW CONTINUOUS QUERIES: those of the database, each once, sorted as they come. */
export function continuousQueriesOf(servers: readonly ServerPieces[], own: string): Piece {
  const rows = servers.flatMap(({ db, pieces }) =>
    pieces
      .filter(({ name }) => textOf(name) === db)
      .flatMap((piece) => itemsOf(`[${piece.rows}]`))
      .map((row) => {
        const [name = '""', query = '""'] = itemsOf(row);
        return `[${name},${rawOf(showingDatabase(textOf(query), db, own))}]`;
      }),
  );
  return {
    kind: 'piece',
    name: rawOf(own),
    tags: '',
    columns: '["name","query"]',
    rows: [...new Set(rows)].join(','),
    partial: false,
  };
}

/** EXPLAIN ANALYZE: the plan's rows, of which one holds the statement that ran. */
export function planShowing(piece: Piece, db: string, own: string): Piece {
  const rows = itemsOf(`[${piece.rows}]`).map((row) => {
    const [, before, statement] = /^(.*── statement: )(.*)$/.exec(textOf(row.slice(1, -1))) ?? [];
    if (before === undefined || statement === undefined) return row;
    return `[${rawOf(before + showingDatabase(statement, db, own))}]`;
  });
  return { ...piece, rows: rows.join(',') };
}

/** The text of a statement that a server prints, with the database's name for clients. Left alone if it cannot be read. */
export function showingDatabase(text: string, db: string, own: string): string {
  const parsed = parseQuery(text);
  const [statement] = parsed.ok ? parsed.statements : [];
  if (statement === undefined || db === own) return text;
  const edits = databasesOf(statement)
    .filter(({ value }) => value === db)
    .map((name) => shown(text, name, own));
  return sliceOf(text, statement, edits);
}

/** Quoted where the server's name was quoted, or the new one needs it. */
function shown(text: string, { start, end }: Name, own: string): Edit {
  const isBare = !text.slice(start, end).includes('"') && /^[A-Za-z_][A-Za-z0-9_]*$/.test(own);
  return { start, end, text: isBare ? own : quoteIdentifier(own) };
}
