import type { Statement } from '../influxql/statement.ts';
import type { Piece } from './answer-reader.ts';
import { itemsOf, rawOf, textOf } from './raw-json.ts';
import type { Shape } from './merge/widen.ts';

/** The fields and tags of the measurements that one server answers for, all measurements together. */
export interface Schema {
  /** Name to type, the one that InfluxDB takes when measurements differ. */
  readonly fields: ReadonlyMap<string, string>;
  readonly tags: ReadonlySet<string>;
}

/** When one name has several types, InfluxDB takes the first of these and shows no values of the others. */
const PRECEDENCE = ['float', 'integer', 'unsigned', 'string', 'boolean'];

/** Of the answers to SHOW FIELD KEYS and SHOW TAG KEYS. */
export function schemaOf(fieldKeys: readonly Piece[], tagKeys: readonly Piece[]): Schema {
  const fields = new Map<string, string>();
  for (const row of rowsOf(fieldKeys)) {
    const [name = '""', type = '""'] = itemsOf(row);
    const [key, found] = [textOf(name), textOf(type)];
    const known = fields.get(key);
    if (known === undefined || PRECEDENCE.indexOf(found) < PRECEDENCE.indexOf(known)) {
      fields.set(key, found);
    }
  }
  return { fields, tags: new Set(rowsOf(tagKeys).map((row) => textOf(row.slice(1, -1)))) };
}

function rowsOf(pieces: readonly Piece[]): string[] {
  return pieces.flatMap(({ rows }) => itemsOf(`[${rows}]`));
}

export interface Conflict {
  readonly name: string;
  readonly types: readonly string[];
}

/**
 * A name, of those that count, with different types on different servers. One server would decide for one type and drop
 * or convert the values of the other, which cannot be done to finished answers.
 */
export function conflictOf(
  schemas: readonly Schema[],
  counts: (name: string) => boolean,
): Conflict | undefined {
  const typesOf = new Map<string, Set<string>>();
  for (const { fields, tags } of schemas) {
    for (const [name, type] of [...[...tags].map((tag) => [tag, 'tag'] as const), ...fields]) {
      if (type === 'tag' && fields.has(name)) continue; // a field goes before a tag
      typesOf.set(name, (typesOf.get(name) ?? new Set()).add(type));
    }
  }
  const found = [...typesOf].find(([name, types]) => types.size > 1 && counts(name));
  return found === undefined ? undefined : { name: found[0], types: [...found[1]] };
}

/** The types of fields that InfluxDB gives to a function of `*`; every function takes numbers. */
const MORE_TYPES: Readonly<Record<string, readonly string[]>> = {
  count: ['string', 'boolean'],
  first: ['string', 'boolean'],
  last: ['string', 'boolean'],
  distinct: ['string', 'boolean'],
  elapsed: ['string', 'boolean'],
  mode: ['string', 'boolean'],
  sample: ['string', 'boolean'],
  min: ['boolean'],
  max: ['boolean'],
};
const NUMBERS = ['float', 'integer', 'unsigned'];

/**
 * The columns and tags that the wildcards of a statement would have on a server with this schema, had it any rows to
 * show (`RewriteFields` of InfluxDB's parser). Undefined: only a server can tell, for patterns and sub-queries.
 */
export function expandedShape(
  text: string,
  statement: Statement,
  { fields, tags }: Schema,
): Shape | undefined {
  const [field] = statement.fields;
  const { dimensions, subqueries } = statement;
  if (field === undefined || subqueries.length > 0) return undefined;
  const grouped = dimensions.some(({ kind }) => kind === 'wildcard');
  if (dimensions.some(({ kind }) => kind === 'regex')) return undefined;
  const allTags = grouped ? [...tags].map(rawOf) : [];
  if (!field.expands) return { columns: [], tags: allTags };

  const written = text.slice(field.start, field.end);
  if (!written.includes('*') || written.includes('/')) return undefined;
  const named = new Set(dimensions.map(({ name }) => name));
  const columns: string[] = [];
  if (field.kind === 'wildcard') {
    if (!/::\s*tag$/i.test(written)) columns.push(...fields.keys());
    if (!grouped && !/::\s*field$/i.test(written)) {
      columns.push(...[...tags].filter((tag) => !named.has(tag)));
    }
  } else {
    const [call, ...others] = statement.calls;
    if (call === undefined || others.length > 0) return undefined;
    const types = [...NUMBERS, ...(MORE_TYPES[call] ?? [])];
    const taken = [...fields].filter(([, type]) => types.includes(type));
    columns.push(...taken.map(([name]) => `${field.alias ?? call}_${name}`));
  }
  return { columns: ['time', ...columns].map(rawOf), tags: allTags };
}
