import type { Cursor } from './cursor.ts';
import { SyntaxFault } from './cursor.ts';
import type { Token, TokenKind } from './lexer.ts';
import { path } from './names.ts';
import { parseDuration, parseInt64, parseUint64 } from './numbers.ts';
import type { Clauses, Reference, Span, Wildcard } from './statement.ts';

/** What a router needs to know of an expression; it is judged, never evaluated. */
export interface Expression {
  readonly kind:
    | 'wildcard'
    | 'regex'
    | 'call'
    | 'distinct'
    | 'name'
    | 'typed name'
    | 'number'
    | 'duration'
    | 'string'
    | 'boolean'
    | 'group'
    | 'operation';
  /** The name of a name or a call (lower case), the text of a string, a number as it is written. */
  readonly value: string;
  readonly args: readonly Expression[];
  /** Of a duration. */
  readonly nanoseconds: bigint | undefined;
  /** The loosest binding comparison or logical operator in it, at any depth. */
  readonly comparison: TokenKind | undefined;
  /** A wildcard or a regex stands in it, at any depth. */
  readonly expands: boolean;
  /** The wildcard or regex that it is, or that is the first argument of the innermost call. */
  readonly wildcard: Wildcard | undefined;
  /** What InfluxDB calls a column of it: the names of its operands and calls. */
  readonly columnName: string;
}

/** What is collected from all expressions of a clause. */
export interface Notes {
  /** Lower-case names of called functions, in order of their ends. */
  readonly calls: Set<string>;
  readonly references: Reference[];
  /** The level of nesting that the references belong to. */
  readonly clauses: Clauses;
  readonly nowCalls: Span[];
  raw: boolean;
}

const PRECEDENCE: Partial<Record<TokenKind, number>> = {
  OR: 1,
  AND: 2,
  '=': 3,
  '!=': 3,
  '=~': 3,
  '!~': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '|': 4,
  '^': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  '&': 5,
};
const LOOSEST_ARITHMETIC = 4;

const TYPES: ReadonlySet<string> = new Set(['float', 'integer', 'unsigned', 'string', 'boolean']);

/** Operands and operators in turn. No tree is built: only what `Expression` tells is merged, in constant time. */
export function expression(cursor: Cursor, notes: Notes): Expression {
  let whole = operand(cursor, notes);
  for (;;) {
    const operator = cursor.peek().kind;
    if (PRECEDENCE[operator] === undefined) return whole;
    cursor.take();
    const matches = operator === '=~' || operator === '!~';
    const right = matches ? pattern(cursor) : operand(cursor, notes);
    whole = operation(whole, operator, right);
  }
}

/** A regex where one may stand, else an expression. */
export function regexOrExpression(cursor: Cursor, notes: Notes): Expression {
  const regex = cursor.takeRegex();
  return regex === undefined ? expression(cursor, notes) : regexLeaf(regex);
}

const NO_ARGUMENTS: readonly Expression[] = [];

function leaf(kind: Expression['kind'], value = ''): Expression {
  return {
    kind,
    value,
    args: NO_ARGUMENTS,
    nanoseconds: undefined,
    comparison: undefined,
    expands: kind === 'wildcard' || kind === 'regex',
    wildcard: undefined,
    columnName: kind === 'name' || kind === 'typed name' || kind === 'call' ? value : '',
  };
}

function wildcardLeaf(kind: 'wildcard' | 'regex', wildcard: Wildcard, value = ''): Expression {
  return { ...leaf(kind, value), wildcard };
}

function regexLeaf({ value, start, end }: Token): Expression {
  return wildcardLeaf('regex', { takes: 'matches', call: undefined, start, end }, value);
}

function operation(left: Expression, operator: TokenKind, right: Expression): Expression {
  const own = (PRECEDENCE[operator] ?? 0) < LOOSEST_ARITHMETIC ? operator : undefined;
  return {
    ...leaf('operation'),
    comparison: looser(own, looser(left.comparison, right.comparison)),
    expands: left.expands || right.expands,
    columnName: joined(left.columnName, right.columnName),
  };
}

function joined(a: string, b: string): string {
  return a === '' || b === '' ? a + b : `${a}_${b}`;
}

function looser(a: TokenKind | undefined, b: TokenKind | undefined): TokenKind | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (PRECEDENCE[b] ?? 0) < (PRECEDENCE[a] ?? 0) ? b : a;
}

function pattern(cursor: Cursor): Expression {
  const regex = cursor.takeRegex();
  return regex === undefined ? cursor.fail(['regex']) : leaf('regex', regex.value);
}

function operand(cursor: Cursor, notes: Notes): Expression {
  const rule = OPERANDS[cursor.peek().kind];
  if (rule === undefined) cursor.fail(['identifier', 'string', 'number', 'bool']);
  return rule(cursor, notes);
}

const OPERANDS: Partial<Record<TokenKind, (cursor: Cursor, notes: Notes) => Expression>> = {
  '(': group,
  IDENT: reference,
  DISTINCT: distinct,
  STRING: (cursor) => leaf('string', cursor.take().value),
  NUMBER: decimal,
  INTEGER: (cursor) => integer(cursor, false),
  DURATIONVAL: duration,
  TRUE: boolean,
  FALSE: boolean,
  '*': wildcard,
  '+': signed,
  '-': signed,
  REGEX: pattern, // a parameter's: a slash is a division here
  BOUNDPARAM: unbound,
};

function group(cursor: Cursor, notes: Notes): Expression {
  return cursor.nested(() => {
    cursor.expect('(');
    const inner = expression(cursor, notes);
    cursor.expect(')');
    return {
      ...inner,
      kind: 'group',
      args: NO_ARGUMENTS,
      nanoseconds: undefined,
      wildcard: undefined,
    };
  });
}

/** `name(` is a call, whether the name is quoted or not; a blank before the bracket makes it a name. */
function reference(cursor: Cursor, notes: Notes): Expression {
  const { start, end, value } = cursor.peek();
  if (cursor.text.charAt(end) !== '(') return variable(cursor, notes);
  cursor.take();
  return call(cursor, value, notes, start);
}

function variable(cursor: Cursor, notes: Notes): Expression {
  const { names } = path(cursor);
  const name = names.map(({ value }) => value).join('.');
  const { at } = cursor;
  const typed = cursor.takeRawIf('::') === undefined ? undefined : typeName(cursor);
  const type = { start: at, end: cursor.at };
  const { clauses } = notes;
  const span = { start: names[0]?.start ?? at, end: at };
  notes.references.push({ name, ...span, distinct: undefined, type, typeName: typed, clauses });
  return leaf(typed === undefined ? 'name' : 'typed name', name);
}

/** No blank may stand around `::`. */
function typeName(cursor: Cursor): string {
  const type = cursor.raw();
  const known =
    type.kind === 'FIELD' ||
    type.kind === 'TAG' ||
    (type.kind === 'IDENT' && TYPES.has(type.value.toLowerCase()));
  if (!known) cursor.fail([...TYPES, 'field', 'tag'], type);
  cursor.takeRawIf(type.kind);
  return cursor.text.slice(type.start, type.end).toLowerCase();
}

/** The bracket opens directly at the cursor. `start` is where the name does. */
function call(cursor: Cursor, name: string, notes: Notes, start: number): Expression {
  const args = cursor.nested(() => argumentList(cursor, notes));
  const value = name.toLowerCase();
  notes.calls.add(value);
  notes.raw = false;
  if (value === 'now' && args.length === 0) notes.nowCalls.push({ start, end: cursor.at });
  const comparison = args.map((arg) => arg.comparison).reduce(looser, undefined);
  const expands = args.some((arg) => arg.expands);
  return { ...leaf('call', value), args, comparison, expands, wildcard: argument(args[0], value) };
}

function argument(first: Expression | undefined, call: string): Wildcard | undefined {
  const wildcard = first?.wildcard;
  return wildcard === undefined ? undefined : { ...wildcard, call: wildcard.call ?? call };
}

function argumentList(cursor: Cursor, notes: Notes): readonly Expression[] {
  cursor.takeRawIf('(');
  const regex = cursor.takeRegex();
  if (regex === undefined && cursor.takeRawIf(')') !== undefined) return [];
  const args = [regex === undefined ? expression(cursor, notes) : regexLeaf(regex)];
  while (cursor.takeIf(',') !== undefined) args.push(regexOrExpression(cursor, notes));
  cursor.expect(')');
  return args;
}

/** `DISTINCT(x)` is a call, `DISTINCT x` a form of its own; nothing but blanks may stand between. */
function distinct(cursor: Cursor, notes: Notes): Expression {
  const { start } = cursor.take();
  if (cursor.raw().kind === '(') return call(cursor, 'distinct', notes, start);
  if (cursor.takeRawIf('WS') === undefined) cursor.fail(['(', 'identifier'], cursor.raw());
  notes.calls.add('distinct');
  const name = cursor.name();
  notes.references.push({
    name: name.value,
    start: name.start,
    end: name.end,
    distinct: { start, end: name.end },
    type: { start: name.end, end: name.end },
    typeName: undefined,
    clauses: notes.clauses,
  });
  return { ...leaf('distinct', name.value), columnName: 'distinct' };
}

function wildcard(cursor: Cursor): Expression {
  const { start } = cursor.take();
  const of = (takes: Wildcard['takes']): Expression =>
    wildcardLeaf('wildcard', { takes, call: undefined, start, end: cursor.at });
  if (cursor.takeRawIf('::') === undefined) return of('all');
  if (cursor.takeRawIf('FIELD') !== undefined) return of('fields');
  return cursor.takeRawIf('TAG') === undefined
    ? cursor.fail(['field', 'tag'], cursor.raw())
    : of('tags');
}

function boolean(cursor: Cursor): Expression {
  cursor.take();
  return leaf('boolean');
}

function decimal(cursor: Cursor): Expression {
  const token = cursor.take();
  if (!Number.isFinite(Number(token.value))) cursor.failWith('unable to parse number', token);
  return leaf('number', token.value);
}

/** Up to 64 bits unsigned; with a minus in front, up to 63 bits and the one number more that fits. */
function integer(cursor: Cursor, negative: boolean): Expression {
  const token = cursor.take();
  const digits = token.value.replace(/^-/, '');
  const value = parseUint64(digits);
  if (value === undefined) cursor.failWith('unable to parse integer', token);
  if (negative && parseInt64(digits) === undefined && value !== 2n ** 63n) {
    throw new SyntaxFault(`constant -${digits} underflows int64`);
  }
  return leaf('number', negative ? `-${digits}` : digits);
}

function duration(cursor: Cursor): Expression {
  const result = parseDuration(cursor.take().value);
  if (!result.ok) throw new SyntaxFault(result.error);
  return { ...leaf('duration'), nanoseconds: result.nanoseconds };
}

const SIGNABLE: readonly TokenKind[] = ['NUMBER', 'INTEGER', 'DURATIONVAL', '(', 'IDENT'];

/** A sign before a name, a call or a bracket is a multiplication; a second sign is an error. */
function signed(cursor: Cursor, notes: Notes): Expression {
  const negative = cursor.take().kind === '-';
  const { kind } = cursor.peek();
  if (!SIGNABLE.includes(kind)) cursor.fail(['identifier', 'number', 'duration', '(']);
  if (kind === 'INTEGER') return integer(cursor, negative);
  const positive = operand(cursor, notes);
  if (positive.kind === 'number') {
    return negative ? { ...positive, value: `-${positive.value}` } : positive;
  }
  if (positive.nanoseconds === undefined) return operation(leaf('number'), '*', positive);
  return negative ? { ...positive, nanoseconds: -positive.nanoseconds } : positive;
}

function unbound(cursor: Cursor): never {
  const name = cursor.peek().value.replace(/^\$/, '');
  throw new SyntaxFault(name === '' ? 'empty bound parameter' : `missing parameter: ${name}`);
}
