import type { Piece } from './answer-reader.ts';
import { StatementFailed } from './failure.ts';
import { NO_NAME } from './question.ts';
import { itemsOf, textOf } from './raw-json.ts';

/** The fields and tags of the measurements of one level of a statement, all measurements together. */
export interface Schema {
  /** Name to type, the one that InfluxDB takes when measurements differ. */
  readonly fields: ReadonlyMap<string, string>;
  readonly tags: ReadonlySet<string>;
}

/** When one name has several types, InfluxDB takes the first of these and shows no values of the others. */
const PRECEDENCE = ['float', 'integer', 'unsigned', 'string', 'boolean', 'tag'];

/** The one of two types that InfluxDB takes. */
export function preferred(one: string, other: string): string {
  return PRECEDENCE.indexOf(other) < PRECEDENCE.indexOf(one) ? other : one;
}

/**
 * What servers make of a `*`, as EXPLAIN tells it (`"my field"::float, host::tag`): of the shards that the statement
 * reads, as when they run it.
 */
export function schemaOf(plans: readonly Piece[]): Schema {
  const fields = new Map<string, string>();
  const tags = new Set<string>();
  for (const { name, type } of plans.flatMap(columnsOf)) {
    if (name === NO_NAME) continue;
    if (type === 'tag') tags.add(name);
    else fields.set(name, preferred(fields.get(name) ?? type, type));
  }
  return { fields, tags };
}

/** The server has no shard of the time asked for, or was asked about nothing. */
export function isOfNoShard(plans: readonly Piece[]): boolean {
  return plans.every(({ rows }) => !/NUMBER OF SHARDS: [1-9]/.test(rows));
}

const LABEL = 'AUXILIARY FIELDS: ';
const COLUMN = /(?:"((?:\\.|[^"\\])*)"|([^",: ]+))::([a-z]+)/gs;

function columnsOf({ rows }: Piece): { name: string; type: string }[] {
  const lines = itemsOf(`[${rows}]`).map((row) => textOf(row.slice(1, -1)));
  // Each source has a plan of its own, in which this line is the same.
  const line = lines.find((text) => text.startsWith(LABEL));
  if (line === undefined) {
    if (lines.every((text) => text === '')) return [];
    throw new StatementFailed('influx-proxy cannot read the plan of a server: no auxiliary fields');
  }
  return [...line.slice(LABEL.length).matchAll(COLUMN)].map(([, quoted, bare, type = '']) => ({
    name: quoted === undefined ? (bare ?? '') : unescaped(quoted),
    type,
  }));
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => (char === 'n' ? '\n' : char));
}
