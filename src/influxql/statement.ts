/** A half-open range of offsets into the text that was parsed. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export function isWithin(inner: Span, outer: Span): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

/** A name with its place: `value` is unescaped and resolved, the span is the token as the client wrote it. */
export interface Name extends Span {
  readonly value: string;
}

/**
 * What a statement does, by type. `read` and `meta-read` change nothing and may be routed; `admin` concerns one
 * server (ids, users, statistics) and never all of them alike.
 */
const EFFECTS = {
  select: 'read',
  'select into': 'write',
  explain: 'read',
  'explain analyze': 'read',

  'show measurements': 'meta-read',
  'show series': 'meta-read',
  'show tag keys': 'meta-read',
  'show tag values': 'meta-read',
  'show field keys': 'meta-read',
  'show series cardinality': 'meta-read',
  'show measurement cardinality': 'meta-read',
  'show tag key cardinality': 'meta-read',
  'show tag values cardinality': 'meta-read',
  'show field key cardinality': 'meta-read',
  'show databases': 'meta-read',
  'show retention policies': 'meta-read',
  'show continuous queries': 'meta-read',
  'show queries': 'meta-read',

  delete: 'delete',
  'drop series': 'delete',
  'drop measurement': 'delete',

  'create database': 'ddl',
  'create retention policy': 'ddl',
  'create continuous query': 'ddl',
  'create subscription': 'ddl',
  'alter retention policy': 'ddl',
  'drop database': 'ddl',
  'drop retention policy': 'ddl',
  'drop continuous query': 'ddl',
  'drop subscription': 'ddl',
  'drop shard': 'ddl',

  'create user': 'admin',
  'drop user': 'admin',
  'set password': 'admin',
  grant: 'admin',
  'grant admin': 'admin',
  revoke: 'admin',
  'revoke admin': 'admin',
  'kill query': 'admin',
  'show users': 'admin',
  'show grants': 'admin',
  'show stats': 'admin',
  'show diagnostics': 'admin',
  'show shards': 'admin',
  'show shard groups': 'admin',
  'show subscriptions': 'admin',
} as const satisfies Record<string, Effect>;

export type Effect = 'read' | 'meta-read' | 'write' | 'delete' | 'ddl' | 'admin';
export type StatementType = keyof typeof EFFECTS;

export function effectOf(type: StatementType): Effect {
  return EFFECTS[type];
}

/** One measurement, or one pattern of measurements, that a statement names. Exactly one of `name`, `regex` is set. */
export interface Source extends Span {
  readonly db: Name | undefined;
  readonly rp: Name | undefined;
  readonly name: string | undefined;
  /** The pattern's text in RE2 syntax, with `\/` already read as `/`. */
  readonly regex: string | undefined;
  /** 0 in the statement itself, 1 in its sub-queries, and so on. */
  readonly depth: number;
}

/** Where a SELECT ... INTO writes. */
export interface Target extends Span {
  readonly db: Name | undefined;
  readonly rp: Name | undefined;
  readonly name: string;
  /** `:MEASUREMENT`: each source's own name. */
  readonly backref: boolean;
}

/** `LIMIT 10`: the span covers both words, `digits` the number alone. 0 means no limit, as in InfluxDB. */
export interface Count extends Span {
  readonly value: number;
  readonly digits: Span;
}

/** What stands for several fields or tags: `*`, `*::field`, `*::tag` or a regex. */
export interface Wildcard extends Span {
  readonly takes: 'all' | 'fields' | 'tags' | 'matches';
  /** Lower-case name of the function whose argument it is. */
  readonly call: string | undefined;
}

export interface Field extends Span {
  readonly kind: 'wildcard' | 'regex' | 'call' | 'name' | 'other';
  /** A wildcard or a regex stands somewhere in it, so that its columns depend on the schema. */
  readonly expands: boolean;
  /** That wildcard, where InfluxDB would put names in its place. */
  readonly wildcard: Wildcard | undefined;
  /** What InfluxDB calls the column, if it is one. */
  readonly name: string;
  /** Where an alias may be written. */
  readonly bodyEnd: number;
}

export interface Dimension extends Span {
  readonly kind: 'wildcard' | 'regex' | 'time' | 'name' | 'other';
  /** The tag's name, if it is one. */
  readonly name: string | undefined;
  /** Nanoseconds when kind is `time` and the first argument is a duration. */
  readonly interval: bigint | undefined;
}

/** The clauses of a statement, or of one sub-query, that matter to whoever merges answers. */
export interface Clauses {
  readonly fields: readonly Field[];
  /** Lower-case names of the functions called in `fields`, each once; `DISTINCT x` counts. */
  readonly calls: readonly string[];
  /** No function is called in `fields`: rows are points, not aggregates. */
  readonly raw: boolean;
  readonly where: Span | undefined;
  /** The sources of this level that are no sub-queries. */
  readonly measurements: readonly Source[];
  /** The sources of this level that are. */
  readonly subqueries: readonly Clauses[];
  readonly dimensions: readonly Dimension[];
  /** What fill() says: `null`, `none`, `previous`, `linear`, or a number as it is written. */
  readonly fill: string | undefined;
  readonly descending: boolean;
  readonly limit: Count | undefined;
  readonly offset: Count | undefined;
  readonly slimit: Count | undefined;
  readonly soffset: Count | undefined;
  readonly timezone: string | undefined;
}

/** A field or a tag, or what a sub-query calls one. The span is that of the name alone. */
export interface Reference extends Span {
  readonly name: string;
  /** `DISTINCT x`, from the keyword on: no type can be written there. */
  readonly distinct: Span | undefined;
  /** What is written behind it: empty, or a type with its colons (`::float`). */
  readonly type: Span;
  /** The type in lower case. */
  readonly typeName: string | undefined;
  /** The level at which it stands, in a field or in WHERE. */
  readonly clauses: Clauses;
}

export interface Statement extends Span, Clauses {
  readonly type: StatementType;
  readonly effect: Effect;
  /** At every level of nesting, in the order of the text. */
  readonly sources: readonly Source[];
  readonly into: Target | undefined;
  /** INTO inside a sub-query: InfluxDB parses it and writes nothing. */
  readonly ignoredTargets: readonly Target[];
  /** What ON names, or the database that is created or dropped. */
  readonly database: Name | undefined;
  /** `SHOW MEASUREMENTS ON *`: `database.value` is `*`, and it means all of them. */
  readonly everyDatabase: boolean;
  /** The policy of `ON db.rp`. */
  readonly policy: Name | undefined;
  /** The user, policy, query or subscription that the statement is about. */
  readonly subject: Name | undefined;
  /** EXACT before CARDINALITY. */
  readonly exact: boolean;
  /** Each mention of a field or tag in a field or in WHERE, at any level. */
  readonly references: readonly Reference[];
  /** Each argumentless call of now(), wherever it stands. */
  readonly nowCalls: readonly Span[];
  /** Password literals, which no log may show. */
  readonly secrets: readonly Span[];
}

/** Every database that the statement names, wherever it does, in no particular order. */
export function databasesOf(statement: Statement): readonly Name[] {
  const { database, into, sources, ignoredTargets } = statement;
  const named = [database, into?.db, ...[...sources, ...ignoredTargets].map((place) => place.db)];
  return named.filter((name) => name !== undefined);
}

/** The clauses of a statement and of its sub-queries at any depth, inner ones first. */
export function levelsOf(clauses: Clauses): readonly Clauses[] {
  return [...clauses.subqueries.flatMap(levelsOf), clauses];
}
