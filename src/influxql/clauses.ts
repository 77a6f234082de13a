import { SyntaxFault, type Cursor } from './cursor.ts';
import { spanFrom, type Rule, type Scope } from './draft.ts';
import { expression, regexOrExpression, type Expression, type Notes } from './expression.ts';
import type { Token } from './lexer.ts';
import { parseInt64 } from './numbers.ts';
import type { Count, Dimension } from './statement.ts';

// The optional clauses that several statements share. Each rule reads one, or nothing if it is absent.

export const on: Rule = (cursor, { statement }) => {
  if (cursor.takeIf('ON') !== undefined) statement.database = cursor.name();
};

export const where: Rule = (cursor, scope) => {
  const keyword = cursor.takeIf('WHERE');
  if (keyword === undefined) return;
  expression(cursor, { ...aside(scope), references: scope.statement.references });
  scope.clauses.where = spanFrom(keyword.start, cursor);
};

export const groupBy: Rule = (cursor, scope) => {
  if (cursor.takeIf('GROUP') === undefined) return;
  cursor.expect('BY');
  const notes = aside(scope);
  while (dimension(cursor, scope, notes)) cursor.expect(',');
};

export const fill: Rule = (cursor, scope) => {
  const call = optionalCall(cursor, scope, 'fill');
  if (call === undefined) return;
  const [option] = call.args;
  if (option === undefined || call.args.length > 1) {
    throw new SyntaxFault('fill requires an argument, e.g.: 0, null, none, previous, linear');
  }
  const named = option.kind === 'name' && FILLS.has(option.value);
  if (!named && option.kind !== 'number') {
    throw new SyntaxFault('expected number argument in fill()');
  }
  scope.clauses.fill = option.value;
};

/** Whether the zone exists, only the server knows: it has its own list. */
export const timezone: Rule = (cursor, scope) => {
  const call = optionalCall(cursor, scope, 'tz');
  if (call === undefined) return;
  const [zone] = call.args;
  if (zone === undefined || call.args.length > 1) {
    throw new SyntaxFault('tz requires exactly one argument');
  }
  if (zone.kind !== 'string') throw new SyntaxFault('expected string argument in tz()');
  scope.clauses.timezone = zone.value;
};

export const orderBy: Rule = (cursor, { clauses }) => {
  if (cursor.takeIf('ORDER') === undefined) return;
  cursor.expect('BY');
  const column = cursor.takeIf('IDENT');
  const direction = cursor.takeIf('ASC') ?? cursor.takeIf('DESC');
  if (column === undefined && direction === undefined) cursor.fail(['identifier', 'ASC', 'DESC']);
  if ((column !== undefined && column.value !== 'time') || cursor.peek().kind === ',') {
    throw new SyntaxFault('only ORDER BY time supported at this time');
  }
  clauses.descending = direction?.kind === 'DESC';
};

export const limit: Rule = (cursor, { clauses }) => {
  clauses.limit = count(cursor, 'LIMIT');
};
export const offset: Rule = (cursor, { clauses }) => {
  clauses.offset = count(cursor, 'OFFSET');
};
export const slimit: Rule = (cursor, { clauses }) => {
  clauses.slimit = count(cursor, 'SLIMIT');
};
export const soffset: Rule = (cursor, { clauses }) => {
  clauses.soffset = count(cursor, 'SOFFSET');
};

const FILLS: ReadonlySet<string> = new Set(['null', 'none', 'previous', 'linear']);

/** Notes of a clause of which nobody asks more; now() counts everywhere. */
function aside({ statement, clauses }: Scope): Notes {
  const { nowCalls } = statement;
  return { calls: new Set(), references: [], clauses, nowCalls, raw: true };
}

/** True if another one follows: a comma that the caller reads. */
function dimension(cursor: Cursor, { clauses }: Scope, notes: Notes): boolean {
  const { start } = cursor.peek();
  const item = regexOrExpression(cursor, notes);
  clauses.dimensions.push(describe(item, start, cursor.at));
  // InfluxDB lets no blank stand between a regex and the comma.
  return (item.kind === 'regex' ? cursor.raw() : cursor.peek()).kind === ',';
}

function describe(item: Expression, start: number, end: number): Dimension {
  const isTime = item.kind === 'call' && item.value === 'time';
  const isName = item.kind === 'name' || item.kind === 'typed name';
  const name = isName ? item.value : undefined;
  const interval = isTime ? item.args[0]?.nanoseconds : undefined;
  return { kind: isTime ? 'time' : kindOf(item), name, interval, start, end };
}

function kindOf({ kind }: Expression): Dimension['kind'] {
  return kind === 'wildcard' || kind === 'regex' || kind === 'name' ? kind : 'other';
}

/** `fill(...)` and `tz(...)` begin with a plain word; it may be quoted. */
function optionalCall(cursor: Cursor, scope: Scope, name: string): Expression | undefined {
  const { kind, value } = cursor.peek();
  if (kind !== 'IDENT' || value.toLowerCase() !== name) return undefined;
  const call = expression(cursor, aside(scope));
  if (call.kind !== 'call') throw new SyntaxFault(`${name} must be a function call`);
  return call;
}

function count(cursor: Cursor, kind: 'LIMIT' | 'OFFSET' | 'SLIMIT' | 'SOFFSET'): Count | undefined {
  const keyword = cursor.takeIf(kind);
  if (keyword === undefined) return undefined;
  const number = cursor.expect('INTEGER');
  if (number.value.startsWith('-')) cursor.failWith(`${kind} must be >= 0`, number);
  const digits = { start: number.start, end: number.end };
  return { value: clamped(number), digits, start: keyword.start, end: cursor.at };
}

/** InfluxDB takes the largest integer for anything larger. */
function clamped(number: Token): number {
  return Number(parseInt64(number.value) ?? 2n ** 63n - 1n);
}
