import type { CommandRequest } from './command.ts';
import { jsonLine, table } from './text.ts';

type Cell = string | number | null;

/** One row a backend, with the titles in the order in which the table shows them. */
export interface Listing<Row> {
  readonly rowOf: (backend: string) => Promise<Row>;
  readonly columns: readonly (readonly [title: string, cellOf: (row: Row) => Cell])[];
}

/** Writes a table with a row for each backend, or an array of the rows. */
export async function list<Row>(
  { backends, json, write }: CommandRequest,
  { rowOf, columns }: Listing<Row>,
): Promise<number> {
  const rows: { readonly backend: string; readonly row: Row }[] = [];
  for (const { name } of backends) rows.push({ backend: name, row: await rowOf(name) });
  if (json) {
    await write(jsonLine(rows.map(({ backend, row }) => ({ backend, ...row }))));
    return 0;
  }
  const head = ['backend', ...columns.map(([title]) => title)];
  const cells = rows.map(({ backend, row }) => [
    backend,
    ...columns.map(([, cellOf]) => cellOf(row) ?? '-'),
  ]);
  await write(table(head, cells));
  return 0;
}
