import type { Edit } from '../influxql/edit.ts';
import type { Source, Statement } from '../influxql/statement.ts';
import type { Route } from '../routing/keymap.ts';
import type { Item, Piece } from './answer-reader.ts';
import type { Executor, GatheredPart, Part } from './executor.ts';
import { StatementFailed } from './failure.ts';
import { mergeByName } from './merge/by-name.ts';
import { messagesOf, type NamedPiece, newAside, ownedPieces } from './merge/parts.ts';
import { type Expansion, type Shape, shapeOf, unionOf, Widening } from './merge/widen.ts';
import { paddingOf } from './merge-rules.ts';
import { keysText, type Selection, statementText, type Subject } from './question.ts';
import { textOf } from './raw-json.ts';
import { conflictOf, expandedShape, type Schema, schemaOf } from './schema.ts';
import type { Scope } from './scope.ts';

export interface SelectOptions {
  readonly executor: Executor;
  readonly scope: Scope;
  /** Of all measurements that are read. */
  readonly routes: readonly Route[];
  readonly matches: ReadonlyMap<Source, readonly string[]>;
  readonly edits: readonly Edit[];
  /** Whether a measurement is on one of these routes. */
  readonly ownerOf: (covered: ReadonlySet<Route>) => (measurement: string) => boolean;
}

/**
 * SELECT from measurements of several servers. Each gets the client's text with the measurements that it answers for, so
 * that none is read twice and no old copy shows. As in one server, each series keeps its measurement's name, and series
 * are sorted by it.
 */
export async function* mergeSelect(options: SelectOptions): AsyncGenerator<Item, void, undefined> {
  const { scope, ownerOf } = options;
  const { statement } = scope.subject;
  const keys = await schemaKeys(options);
  assertNoConflict(options, keys);
  const parts = await openParts(options, keys);
  const schemas = parts.map(({ routes }) => schemaFrom(keys, ownerOf(routes)));

  const aside = newAside();
  const sources = parts.map(({ items, routes }) =>
    ownedPieces({ items, owns: ownerOf(routes) }, aside),
  );
  const heads = await Promise.all(sources.map((source) => source.next()));
  const widening = wideningOf(scope.subject, heads.map(pieceOf), schemas);
  const rest = sources.map((source, at) => startingWith(heads[at], source));
  for await (const { piece } of mergeByName(rest, statement.descending)) {
    yield widening === undefined ? piece : widening.widened(piece);
  }
  yield* messagesOf(aside);
}

async function openParts(options: SelectOptions, keys: Keys): Promise<readonly Part[]> {
  const { executor, scope, routes, ownerOf } = options;
  const all = schemaFrom(keys, () => true);
  const textFor = (db: string, covered: ReadonlySet<Route>): string => {
    const known = schemaFrom(keys, ownerOf(covered));
    const types = typeEdits(scope.subject.statement, known, all);
    const edits = [...options.edits, ...types];
    return statementText(scope.subject, db, { selection: selectionOf(options, covered), edits });
  };
  const parts = await executor.open(routes, scope.clients(textFor));
  for (const { replica } of parts) scope.answered(replica);
  return parts;
}

/**
 * The types of fields that only other servers know. One server would know them, and what fill() and arithmetic make of a
 * field without points depends on its type.
 */
function typeEdits({ references }: Statement, known: Schema, all: Schema): Edit[] {
  return references.flatMap(({ name, typeAt, clauses }) => {
    const type = all.fields.get(name);
    const isKnown = known.fields.has(name) || known.tags.has(name);
    if (type === undefined || typeAt === undefined || isKnown || clauses.readsSubquery) return [];
    return [{ start: typeAt, end: typeAt, text: `::${type}` }];
  });
}

interface Keys {
  readonly fields: readonly GatheredPart[];
  readonly tags: readonly GatheredPart[];
}

async function schemaKeys(options: SelectOptions): Promise<Keys> {
  const { executor, scope, routes } = options;
  const gather = (kind: 'FIELD' | 'TAG'): Promise<readonly GatheredPart[]> =>
    executor.gather(
      routes,
      scope.own((db, covered) => keysText(kind, scope.subject, db, selectionOf(options, covered))),
    );
  const [fields, tags] = await Promise.all([gather('FIELD'), gather('TAG')]);
  return { fields, tags };
}

function selectionOf({ matches, ownerOf }: SelectOptions, covered: ReadonlySet<Route>): Selection {
  return { owns: ownerOf(covered), matches };
}

/** Of the measurements of one part, whoever told their keys. */
function schemaFrom({ fields, tags }: Keys, owns: (measurement: string) => boolean): Schema {
  const owned = (parts: readonly GatheredPart[]): Piece[] =>
    parts.flatMap(({ pieces }) => pieces).filter(({ name }) => owns(textOf(name)));
  return schemaOf(owned(fields), owned(tags));
}

function assertNoConflict({ scope, ownerOf }: SelectOptions, keys: Keys): void {
  const { statement } = scope.subject;
  const { references, subqueries } = statement;
  const names = new Set(references.map(({ name }) => name));
  const schemas = keys.fields.map(({ routes }) => schemaFrom(keys, ownerOf(routes)));
  const expands = [statement, ...subqueries].some(
    (clauses) => clauses.fields.some((field) => field.expands) || hasWildDimension(clauses),
  );
  const conflict = conflictOf(schemas, (name) => expands || names.has(name));
  if (conflict === undefined) return;
  const { name, types } = conflict;
  throw new StatementFailed(
    `influx-proxy cannot merge ${JSON.stringify(name)} exactly: it is ${types.join(' and ')} on different servers`,
  );
}

function hasWildDimension({ dimensions }: Pick<Statement, 'dimensions'>): boolean {
  return dimensions.some(({ kind }) => kind === 'wildcard' || kind === 'regex');
}

/** Undefined: what the servers answer has the right columns and tags already. */
function wideningOf(
  { text, statement }: Subject,
  firsts: readonly (Piece | undefined)[],
  schemas: readonly Schema[],
): Widening | undefined {
  const expands: Expansion = {
    columns: statement.fields.some((field) => field.expands),
    tags: hasWildDimension(statement),
  };
  if ((!expands.columns && !expands.tags) || firsts.every((first) => first === undefined)) {
    return undefined;
  }
  const shapes = firsts.map((first, at): Shape => {
    if (first !== undefined) return shapeOf(first);
    const schema = schemas[at];
    const shape = schema === undefined ? undefined : expandedShape(text, statement, schema);
    if (shape !== undefined) return shape;
    throw new StatementFailed(
      'influx-proxy cannot tell which columns a server without matching points would add: name the fields and tags',
    );
  });
  return new Widening(unionOf(shapes), expands, paddingOf(statement));
}

type Head = IteratorResult<NamedPiece, undefined>;

function pieceOf(head: Head): Piece | undefined {
  return head.done === true ? undefined : head.value.piece;
}

async function* startingWith(
  head: Head | undefined,
  rest: AsyncIterable<NamedPiece>,
): AsyncGenerator<NamedPiece, undefined, undefined> {
  if (head?.done !== false) return undefined;
  yield head.value;
  yield* rest;
  return undefined;
}
