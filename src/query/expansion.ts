import type { Edit } from '../influxql/edit.ts';
import {
  type Clauses,
  type Field,
  isWithin,
  type Reference,
  type Span,
  type Wildcard,
} from '../influxql/statement.ts';
import { StatementFailed } from './failure.ts';
import { NOTHING, quoted, type Subject } from './question.ts';
import { preferred, type Schema } from './schema.ts';

/** What all servers together know of one level of a statement. */
export interface LevelSchema extends Schema {
  /** The text of a pattern among fields or dimensions to the names that it matches. */
  readonly matches: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Puts names and types into a statement, as one server with all measurements would before it runs it (`RewriteFields` of
 * InfluxDB's parser): a server that holds a part of them would find less. Levels that read sub-queries only follow from
 * those. Throws StatementFailed for what cannot be told.
 */
export function expansionOf(
  { text, statement }: Subject,
  schemas: ReadonlyMap<Clauses, LevelSchema>,
): readonly Edit[] {
  const edits: Edit[] = [];
  const expand = (clauses: Clauses): Level => {
    const inner = clauses.subqueries.map(expand);
    const schema = schemas.get(clauses);
    const references = statement.references.filter((one) => one.clauses === clauses);
    const level = new Level({ text, clauses, references, schema, inner });
    if (schema !== undefined) edits.push(...level.edits());
    return level;
  };
  expand(statement);
  return edits;
}

/** The patterns of a level, of which only a server knows what they match. */
export function patternsOf({ fields, dimensions }: Clauses): readonly Span[] {
  const wildcards = fields.flatMap(({ wildcard }) => wildcard ?? []);
  return [
    ...wildcards.filter(({ takes }) => takes === 'matches'),
    ...dimensions.filter(({ kind }) => kind === 'regex'),
  ];
}

interface Column {
  readonly name: string;
  /** Undefined: nobody has told; but it is no tag. */
  readonly type: string | undefined;
}

interface LevelOptions {
  readonly text: string;
  readonly clauses: Clauses;
  /** Of this level. */
  readonly references: readonly Reference[];
  /** Undefined: it reads sub-queries only. */
  readonly schema: LevelSchema | undefined;
  readonly inner: readonly Level[];
}

class Level {
  readonly #text: string;
  readonly #clauses: Clauses;
  readonly #references: readonly Reference[];
  readonly #schema: LevelSchema;
  readonly #inner: readonly Level[];
  #knownFields: ReadonlyMap<string, string | undefined> | undefined;
  #knownTags: ReadonlySet<string> | undefined;

  constructor({ text, clauses, references, schema = NO_SCHEMA, inner }: LevelOptions) {
    this.#text = text;
    this.#clauses = clauses;
    this.#references = references;
    this.#schema = schema;
    this.#inner = inner;
  }

  // What sub-queries give is asked for only where it matters: not always can it be told.

  get #fields(): ReadonlyMap<string, string | undefined> {
    this.#knownFields ??= unionOf(
      [...this.#schema.fields].map(([name, type]) => ({ name, type })),
      this.#inner.flatMap((level) => level.#columns()),
    );
    return this.#knownFields;
  }

  get #tags(): ReadonlySet<string> {
    const dimensions = this.#inner.flatMap((level) => level.#dimensions());
    this.#knownTags ??= new Set([...this.#schema.tags, ...dimensions]);
    return this.#knownTags;
  }

  edits(): readonly Edit[] {
    const { fields, dimensions } = this.#clauses;
    const isRead = (place: Span): boolean =>
      !fields.some((field) => field.expands && isWithin(place, field));
    return [
      ...fields.filter(({ expands }) => expands).flatMap((field) => this.#expanded(field)),
      ...dimensions
        .filter(({ kind }) => kind === 'wildcard' || kind === 'regex')
        .map((dimension) => ({ ...spanOf(dimension), text: this.#tagList(dimension) })),
      ...this.#references.filter(isRead).flatMap((reference) => this.#typed(reference)),
    ];
  }

  #typed({ name, distinct, type, typeName }: Reference): Edit[] {
    const known = this.#fields.has(name) || this.#tags.has(name);
    if (!known || name === 'time' || !(typeName === undefined || typeName === 'field')) return [];
    const found = this.#typeOf(name);
    if (found === undefined || (typeName === 'field' && found === 'tag')) return [];
    if (distinct === undefined) return [{ ...type, text: `::${found} ` }];
    return [{ ...distinct, text: `distinct(${quoted(name)}::${found})` }];
  }

  /** Undefined: the sub-queries alone settle it, on each server. */
  #typeOf(name: string): string | undefined {
    const type = this.#fields.has(name) ? this.#fields.get(name) : 'tag';
    const isMeasured = this.#schema.fields.has(name) || this.#schema.tags.has(name);
    if (type !== undefined || !isMeasured) return type;
    throw new StatementFailed(
      `influx-proxy cannot tell the type of ${JSON.stringify(name)} over several servers: a sub-query and a measurement beside it both have it`,
    );
  }

  #expanded(field: Field): Edit[] {
    const { wildcard, start, end, bodyEnd, name } = field;
    if (wildcard === undefined) {
      throw new StatementFailed(
        `influx-proxy cannot tell the columns of ${this.#text.slice(start, end)} over several servers`,
      );
    }
    const { call } = wildcard;
    const refs = call === undefined ? this.#refs(wildcard) : this.#arguments(wildcard, call);
    if (call !== undefined && wildcard.takes === 'tags') return []; // an error, which each server tells
    if (refs.length === 0) return [{ ...spanOf(wildcard), text: ` ${NOTHING}` }];
    if (call === undefined) {
      return [{ start, end, text: ` ${refs.map((ref) => typedName(ref)).join(', ')} ` }];
    }
    const before = this.#text.slice(start, wildcard.start);
    const after = this.#text.slice(wildcard.end, bodyEnd);
    const calls = refs.map(
      (ref) => `${before}${typedName(ref)}${after} AS ${quoted(`${name}_${ref.name}`)}`,
    );
    return [{ start, end, text: ` ${calls.join(', ')} ` }];
  }

  /** Of a wildcard that is a field of its own. */
  #refs(wildcard: Wildcard): readonly Column[] {
    const { dimensions } = this.#clauses;
    if (this.#fields.size === 0) return [];
    const isGrouped = dimensions.some(({ kind }) => kind === 'wildcard' || kind === 'regex');
    const named = new Set(dimensions.map(({ name }) => name));
    const fields = [...this.#fields].map(([name]): Column => ({ name, type: this.#typeOf(name) }));
    const tags = isGrouped ? [] : [...this.#tags].filter((name) => !named.has(name));
    const all = [...fields, ...tags.map((name): Column => ({ name, type: 'tag' }))];
    const taken = all.filter(({ name, type }) => {
      if (wildcard.takes === 'matches') return this.#isMatch(wildcard, name);
      return wildcard.takes === 'all' || (wildcard.takes === 'tags') === (type === 'tag');
    });
    return taken.toSorted(compareNames);
  }

  #arguments(wildcard: Wildcard, call: string): readonly Column[] {
    const types = [...NUMBERS, ...(MORE_TYPES[call] ?? [])];
    return this.#refs(
      wildcard.takes === 'all' ? { ...wildcard, takes: 'fields' } : wildcard,
    ).filter(({ name, type }) => {
      if (type !== undefined) return types.includes(type);
      throw new StatementFailed(
        `influx-proxy cannot tell over several servers whether ${call}() takes ${JSON.stringify(name)}: name the fields`,
      );
    });
  }

  #tagList(dimension: Span & { readonly kind: string }): string {
    const tags = this.#dimensionsOf(dimension);
    return tags.length === 0 ? ` ${NOTHING}` : ` ${tags.map(quoted).join(', ')} `;
  }

  #dimensionsOf(dimension: Span & { readonly kind: string }): readonly string[] {
    const isTaken = (name: string): boolean =>
      dimension.kind === 'wildcard' || this.#isMatch(dimension, name);
    const tags = [...this.#tags].filter(isTaken).map((name): Column => ({ name, type: 'tag' }));
    return tags.toSorted(compareNames).map(({ name }) => name);
  }

  #isMatch(pattern: Span, name: string): boolean {
    const { start, end } = pattern;
    const names = this.#schema.matches.get(this.#text.slice(start, end));
    const isMeasured = this.#schema.fields.has(name) || this.#schema.tags.has(name);
    if (names !== undefined && isMeasured) return names.has(name);
    throw new StatementFailed(
      'influx-proxy cannot tell over several servers what a pattern matches among the columns of a sub-query: name the fields and tags',
    );
  }

  /** What the level above sees. */
  #columns(): readonly Column[] {
    return this.#clauses.fields.flatMap((field): readonly Column[] => {
      const { wildcard, name, kind } = field;
      if (wildcard === undefined) {
        return [{ name, type: kind === 'name' ? this.#nameType(field) : this.#resultOf(field) }];
      }
      const { call } = wildcard;
      if (call === undefined) return this.#refs(wildcard);
      return this.#arguments(wildcard, call).map((ref) => ({
        name: `${name}_${ref.name}`,
        type: this.#resultOf(field),
      }));
    });
  }

  #nameType(field: Field): string | undefined {
    const reference = this.#references.find((one) => isWithin(one, field));
    if (reference === undefined) return undefined;
    const { name, typeName = 'field' } = reference;
    if (typeName !== 'field') return typeName;
    return this.#fields.get(name) ?? (this.#tags.has(name) ? 'tag' : undefined);
  }

  #resultOf({ kind, start, end }: Field): string | undefined {
    const [call = ''] = /^\w+/.exec(this.#text.slice(start, end)) ?? [];
    return kind === 'call' ? RESULTS[call.toLowerCase()] : undefined;
  }

  #dimensions(): readonly string[] {
    return this.#clauses.dimensions.flatMap((dimension) => {
      if (dimension.kind === 'wildcard' || dimension.kind === 'regex') {
        return this.#dimensionsOf(dimension);
      }
      return dimension.name ?? [];
    });
  }
}

const NO_SCHEMA: LevelSchema = { fields: new Map(), tags: new Set(), matches: new Map() };

const NUMBERS = ['float', 'integer', 'unsigned'];
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
/** The types of what functions give, where it is always the same. */
const RESULTS: Readonly<Record<string, string>> = {
  count: 'integer',
  mean: 'float',
  median: 'float',
  stddev: 'float',
};

function unionOf(
  measured: readonly Column[],
  columns: readonly Column[],
): ReadonlyMap<string, string | undefined> {
  const union = new Map(measured.map(({ name, type }) => [name, type]));
  for (const { name, type } of columns) {
    const known = union.get(name);
    if (known === 'float') continue; // nothing goes before it
    const isNew = !union.has(name);
    const isTold = type !== undefined && known !== undefined;
    union.set(name, isNew ? type : isTold ? preferred(known, type) : undefined);
  }
  return union;
}

function typedName({ name, type }: Column): string {
  return type === undefined ? quoted(name) : `${quoted(name)}::${type}`;
}

/** Bytes, not UTF-16 units; a field goes before a tag of its name. */
function compareNames(a: Column, b: Column): number {
  if (a.name === b.name) return a.type === 'tag' ? 1 : -1;
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

function spanOf({ start, end }: Span): Span {
  return { start, end };
}
