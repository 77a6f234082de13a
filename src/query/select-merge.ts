import type { Edit } from '../influxql/edit.ts';
import { type Clauses, levelsOf, type Source } from '../influxql/statement.ts';
import type { Route } from '../routing/keymap.ts';
import type { Item } from './answer-reader.ts';
import type { Executor, GatheredPart, Part } from './executor.ts';
import { expansionOf, type LevelSchema, patternsOf } from './expansion.ts';
import { mergeByName } from './merge/by-name.ts';
import { messagesOf, newAside, ownedPieces } from './merge/parts.ts';
import { formText, schemaText, type Selection, statementText } from './question.ts';
import { isOfNoShard, schemaOf } from './schema.ts';
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
 * that none is read twice and no old copy shows; and with the names and types that all of them together give. As in one
 * server, each series keeps its measurement's name, and series are sorted by it.
 */
export async function* mergeSelect(options: SelectOptions): AsyncGenerator<Item, void, undefined> {
  const { scope, ownerOf } = options;
  const { subject } = scope;
  await assertForm(options);
  const expansion = expansionOf(subject, await schemasOf(options));
  const parts = await openParts(options, [...options.edits, ...expansion]);
  const aside = newAside();
  const sources = parts.map(({ items, routes }) =>
    ownedPieces({ items, owns: ownerOf(routes) }, aside),
  );
  for await (const { piece } of mergeByName(sources, subject.statement.descending)) yield piece;
  yield* messagesOf(aside);
}

/** Names in the place of wildcards could make sense of what has none. */
async function assertForm({ executor, scope, routes }: SelectOptions): Promise<void> {
  const inquiry = scope.own((db) => formText(scope.subject, db));
  await executor.gather(routes.slice(0, 1), inquiry);
}

async function openParts(options: SelectOptions, edits: readonly Edit[]): Promise<readonly Part[]> {
  const { executor, scope, routes } = options;
  const textFor = (db: string, covered: ReadonlySet<Route>): string =>
    statementText(scope.subject, db, { selection: selectionOf(options, covered), edits });
  const parts = await executor.open(routes, scope.clients(textFor));
  for (const { replica } of parts) scope.answered(replica);
  return parts;
}

/** Of the levels that read measurements. */
async function schemasOf(options: SelectOptions): Promise<ReadonlyMap<Clauses, LevelSchema>> {
  const levels = levelsOf(options.scope.subject.statement).filter(
    ({ measurements }) => measurements.length > 0,
  );
  const schemas = await Promise.all(
    levels.map(async (level) => [level, await schemaOfLevel(options, level)] as const),
  );
  return new Map(schemas);
}

async function schemaOfLevel(options: SelectOptions, level: Clauses): Promise<LevelSchema> {
  const { text, statement } = options.scope.subject;
  const { where } = statement;
  const patterns = new Set(patternsOf(level).map(({ start, end }) => text.slice(start, end)));
  const plansFor = async (wildcard: string) => {
    const parts = await plansOf(options, { level, wildcard });
    const schema = schemaOf(parts.flatMap(({ pieces }) => pieces));
    const absent = parts.filter(({ pieces }) => isOfNoShard(pieces));
    if (absent.length === 0 || where === undefined) return schema;
    // An index in memory, which is the default, knows the tags of a measurement in whichever shard it is asked.
    const routes = absent.flatMap((part) => [...part.routes]);
    const others = await plansOf({ ...options, routes }, { level, wildcard, isTimeless: true });
    const { tags } = schemaOf(others.flatMap(({ pieces }) => pieces));
    return { fields: schema.fields, tags: new Set([...schema.tags, ...tags]) };
  };
  const namesFor = async (pattern: string) => {
    const { fields, tags } = await plansFor(pattern);
    return [pattern, new Set([...fields.keys(), ...tags])] as const;
  };
  const [schema, matches] = await Promise.all([
    plansFor('*'),
    Promise.all([...patterns].map(namesFor)),
  ]);
  return { ...schema, matches: new Map(matches) };
}

function plansOf(
  options: SelectOptions,
  about: {
    readonly level: Clauses;
    readonly wildcard: string;
    readonly isTimeless?: boolean;
  },
): Promise<readonly GatheredPart[]> {
  const { executor, scope, routes, edits } = options;
  const textFor = (db: string, covered: ReadonlySet<Route>): string => {
    const selection = selectionOf(options, covered);
    return schemaText(scope.subject, db, { ...about, selection, edits });
  };
  return executor.gather(routes, scope.own(textFor));
}

function selectionOf({ matches, ownerOf }: SelectOptions, covered: ReadonlySet<Route>): Selection {
  return { owns: ownerOf(covered), matches };
}
