import {
  fill,
  groupBy,
  limit,
  offset,
  orderBy,
  slimit,
  soffset,
  timezone,
  where,
} from './clauses.ts';
import { SyntaxFault, type Cursor } from './cursor.ts';
import { ClausesDraft, type Rule, type Scope } from './draft.ts';
import { regexOrExpression, type Expression, type Notes } from './expression.ts';
import { namedSource, regexSource, target } from './names.ts';
import { position } from './position.ts';
import type { Field, Target } from './statement.ts';

const TAIL: readonly Rule[] = [
  where,
  groupBy,
  fill,
  orderBy,
  limit,
  offset,
  slimit,
  soffset,
  timezone,
];

/** A SELECT of the top level; with INTO it writes. */
export const select: Rule = (cursor, scope) => {
  const { statement } = scope;
  statement.into = selectBody(cursor, scope);
  if (statement.into !== undefined) statement.type = 'select into';
};

/** EXPLAIN reads INTO and writes nothing. ANALYZE runs the query. */
export const explain: Rule = (cursor, scope) => {
  const { statement } = scope;
  if (cursor.takeIf('ANALYZE') !== undefined) statement.type = 'explain analyze';
  cursor.takeWord('VERBOSE'); // of InfluxDB 1.12
  cursor.expect('SELECT');
  statement.into = selectBody(cursor, scope);
};

/** The query of a continuous query must write, and must group by time if it aggregates. */
export const continuousSelect: Rule = (cursor, scope) => {
  cursor.expect('SELECT');
  scope.statement.into = selectBody(cursor, scope, 'INTO');
  const interval = scope.clauses.dimensions.find(({ kind }) => kind === 'time')?.interval ?? 0n;
  if (!scope.clauses.raw && interval === 0n) cursor.fail(['GROUP BY time(...)']);
};

/** What follows the word SELECT. */
function selectBody(cursor: Cursor, scope: Scope, afterFields?: 'INTO'): Target | undefined {
  fields(cursor, scope);
  if (afterFields !== undefined && cursor.peek().kind !== afterFields) cursor.fail([afterFields]);
  const into = cursor.takeIf('INTO') === undefined ? undefined : target(cursor);
  cursor.expect('FROM');
  do source(cursor, scope);
  while (cursor.takeIf(',') !== undefined);
  for (const clause of TAIL) clause(cursor, scope);
  return into;
}

function source(cursor: Cursor, scope: Scope): void {
  if (plainSource(cursor, scope)) return;
  cursor.nested(() => {
    subquery(cursor, scope);
  });
}

/** False if the source is a sub-query. */
function plainSource(cursor: Cursor, scope: Scope): boolean {
  if (!regexSource(cursor, scope)) {
    if (cursor.peek().kind === '(') return false;
    namedSource(cursor, scope);
  }
  const source = scope.statement.sources.at(-1);
  if (source !== undefined) scope.clauses.measurements.push(source);
  return true;
}

function subquery(cursor: Cursor, { statement, clauses: outer, depth }: Scope): void {
  cursor.expect('(');
  cursor.expect('SELECT');
  const clauses = new ClausesDraft();
  const ignored = selectBody(cursor, { statement, clauses, depth: depth + 1 });
  cursor.expect(')');
  if (ignored !== undefined) statement.ignoredTargets.push(ignored);
  outer.subqueries.push(clauses);
}

function fields(cursor: Cursor, { statement, clauses }: Scope): void {
  const { references, nowCalls } = statement;
  const notes: Notes = { calls: new Set(), references, clauses, nowCalls, raw: true };
  do {
    clauses.fields.push(field(cursor, notes));
  } while (commaAfterField(cursor, clauses.fields.at(-1)));
  clauses.calls = [...notes.calls];
  clauses.raw = notes.raw;
}

/** Behind an alias at most one run of blanks, and no comment, may stand before the comma. */
function commaAfterField(cursor: Cursor, field: Field | undefined): boolean {
  if (field === undefined || field.end === field.bodyEnd) return cursor.takeIf(',') !== undefined;
  cursor.takeRawIf('WS');
  return cursor.takeRawIf(',') !== undefined;
}

function field(cursor: Cursor, notes: Notes): Field {
  const first = cursor.peek();
  const item = regexOrExpression(cursor, notes);
  if (item.comparison !== undefined) {
    throw new SyntaxFault(
      `invalid operator ${item.comparison} in SELECT clause at ${position(cursor.text, first)}; operator is intended for WHERE clause`,
    );
  }
  const bodyEnd = cursor.at;
  const alias = cursor.takeIf('AS') === undefined ? undefined : cursor.name().value;
  const { expands, wildcard, columnName } = item;
  const name = alias ?? columnName;
  const { start } = first;
  return { kind: kindOf(item), expands, wildcard, name, bodyEnd, start, end: cursor.at };
}

function kindOf({ kind }: Expression): Field['kind'] {
  if (kind === 'wildcard' || kind === 'regex' || kind === 'call' || kind === 'name') return kind;
  return kind === 'typed name' ? 'name' : 'other';
}
