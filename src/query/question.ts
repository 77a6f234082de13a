import { type Edit, lift, quoteIdentifier, rename, sliceOf } from '../influxql/edit.ts';
import {
  type Clauses,
  databasesOf,
  isWithin,
  type Source,
  type Statement,
} from '../influxql/statement.ts';
import { StatementFailed } from './failure.ts';

// Texts for servers. All are pieces of the client's own text, in which names of databases and measurements are replaced.

/** A statement in the text that it was parsed from. */
export interface Subject {
  readonly text: string;
  readonly statement: Statement;
}

/** Which measurements one server is asked about. */
export interface Selection {
  readonly owns: (measurement: string) => boolean;
  /** The measurements that each pattern among the sources stands for. */
  readonly matches: ReadonlyMap<Source, readonly string[]>;
}

/**
 * A pattern that matches no measurement (Go's own way to write it). It takes the place of a source of which the server
 * is asked nothing, so that the rest of the statement can stay as it is.
 */
export const NOTHING = '/[^\\x00-\\x{10FFFF}]/';

/** The client's statement for a server whose database is `db`, about the measurements of the selection if there is one. */
export function statementText(
  { text, statement }: Subject,
  db: string,
  options: { readonly selection?: Selection; readonly edits?: readonly Edit[] } = {},
): string {
  const { selection, edits = [] } = options;
  const narrowed = selection === undefined ? [] : narrow(statement.sources, db, selection);
  const renamed = databasesOf(statement)
    .map((name) => rename(name, db))
    .filter((edit) => !narrowed.some((outer) => isWithin(edit, outer)));
  return sliceOf(text, statement, [...edits, ...narrowed, ...renamed]);
}

/** LIMIT and OFFSET out of force. */
export function unlimited({ limit, offset }: Statement): readonly Edit[] {
  return [limit, offset].filter((count) => count !== undefined).map(lift);
}

/** Which measurements of a server a pattern stands for. */
export function matchingText({ text }: Subject, source: Source, db: string): string {
  const prefix = source.db === undefined ? [] : [rename(source.db, db)];
  return `SHOW MEASUREMENTS WITH MEASUREMENT =~ ${sliceOf(text, source, prefix)}`;
}

/** No field or tag has this name, since a line of points cannot hold it. */
export const NO_NAME = '\n';

/**
 * EXPLAIN of a wildcard over the measurements of one level: its plan tells the names and types of which the server knows,
 * in the shards that the statement reads. No series is planned. The sub-query gives it a field of no name: without any
 * field InfluxDB would not tell the tags.
 */
export function schemaText(
  { text, statement }: Subject,
  db: string,
  options: {
    readonly level: Clauses;
    readonly wildcard: string;
    readonly selection: Selection;
    readonly edits: readonly Edit[];
    /** Of all shards instead. */
    readonly isTimeless?: boolean;
  },
): string {
  const { level, wildcard, selection, edits, isTimeless = false } = options;
  const names = level.measurements.flatMap((source) => namesOf(source, db, selection));
  const from = names.length === 0 ? NOTHING : [...new Set(names), NO_FIELD].join(', ');
  const { where, references } = statement;
  if (where === undefined || isTimeless)
    return `EXPLAIN SELECT ${wildcard} FROM ${from} WHERE ${NO_SERIES}`;
  // Of the condition only the time matters, and types that differ over servers must not.
  const masked = [
    ...edits.filter((edit) => isWithin(edit, where)),
    ...references
      .filter((one) => one.name !== 'time' && isWithin(one, where) && one.clauses === statement)
      .map(({ start, end }) => ({ start, end, text: ` ${quoteIdentifier(NO_NAME)}` })),
  ];
  const condition = sliceOf(text, { start: where.start + 'WHERE'.length, end: where.end }, masked);
  return `EXPLAIN SELECT ${wildcard} FROM ${from} WHERE (${condition}) AND ${NO_SERIES}`;
}

/** No series has this measurement. */
const NO_SERIES = "_name = ''";

const NO_FIELD = `(SELECT count(v) AS ${quoteIdentifier(NO_NAME)} FROM ${NOTHING})`;

/** EXPLAIN of the client's statement without a source: fails where InfluxDB refuses its form, whatever it reads. */
export function formText(subject: Subject, db: string): string {
  const selection: Selection = { owns: () => false, matches: new Map() };
  return `EXPLAIN ${statementText(subject, db, { selection })}`;
}

/** SHOW SERIES EXACT CARDINALITY of what a SHOW MEASUREMENT CARDINALITY is about: one series per measurement. */
export function countedText(subject: Subject, db: string): string {
  const { text, statement } = subject;
  const { sources, where } = statement;
  const [first, last] = [sources[0], sources.at(-1)];
  const renamed = sources.flatMap((source) => source.db ?? []).map((name) => rename(name, db));
  const from =
    first === undefined || last === undefined
      ? ''
      : ` FROM ${sliceOf(text, { start: first.start, end: last.end }, renamed)}`;
  const condition = where === undefined ? '' : ` ${sliceOf(text, where)}`;
  return `SHOW SERIES EXACT CARDINALITY${onOf(subject, db)}${from}${condition}`;
}

/** SHOW SERIES of the whole database. */
export function seriesText(subject: Subject, db: string): string {
  return `SHOW SERIES${onOf(subject, db)}`;
}

/** SHOW MEASUREMENTS of the whole database. */
export function measurementsText(subject: Subject, db: string): string {
  return `SHOW MEASUREMENTS${onOf(subject, db)}`;
}

function onOf({ statement }: Subject, db: string): string {
  return statement.database === undefined ? '' : ` ON ${quoteIdentifier(db)}`;
}

function narrow(sources: readonly Source[], db: string, selection: Selection): Edit[] {
  return sources.flatMap((source) => {
    const { name, start, end } = source;
    if (name !== undefined && selection.owns(name)) return [];
    const names = namesOf(source, db, selection);
    const text = names.length === 0 ? prefixOf(source, db) + NOTHING : names.join(', ');
    return [{ start, end, text: ` ${text}` }];
  });
}

/** The measurements that a source stands for on this server, as it names them. */
function namesOf(source: Source, db: string, { owns, matches }: Selection): string[] {
  const names = source.name === undefined ? (matches.get(source) ?? []) : [source.name];
  return names.filter(owns).map((name) => prefixOf(source, db) + quoted(name));
}

function prefixOf({ db, rp }: Source, to: string): string {
  const policy = rp === undefined ? '' : quoteIdentifier(rp.value);
  if (db !== undefined) return `${quoteIdentifier(to)}.${policy}.`;
  return rp === undefined ? '' : `${policy}.`;
}

/** Of a measurement, field or tag. */
export function quoted(name: string): string {
  if (/[\0\r\ud800-\udfff]/u.test(name)) {
    throw new StatementFailed(`${JSON.stringify(name)} cannot be named in InfluxQL`);
  }
  return quoteIdentifier(name);
}
