import {
  databasesOf,
  type Source,
  type Statement,
  type StatementType,
} from '../influxql/statement.ts';

/** Which database a statement may be about. */
export interface Fence {
  /** The `db` of the request. */
  readonly db: string;
  /** The only database that clients may name; empty: any, since each name means the same one. */
  readonly own: string;
}

export type DatabaseVerdict =
  | { readonly kind: 'pass' }
  /** It names a database that is not the client's: the whole query is refused. */
  | { readonly kind: 'refuse'; readonly reason: string }
  /** The database of the request is missing or another one: what InfluxDB answers then. */
  | { readonly kind: 'fail'; readonly error: string }
  | { readonly kind: 'empty' };

/** Every database that a statement names, anywhere in it, must be the proxy's own; so must be the one it takes for granted. */
export function databaseVerdict(statement: Statement, { db, own }: Fence): DatabaseVerdict {
  const named = databasesOf(statement);
  const expected = own !== '' ? own : db !== '' ? db : named[0]?.value;
  const foreign = named.find(({ value }) => value !== expected);
  if (statement.everyDatabase || foreign !== undefined) {
    const name = statement.everyDatabase ? '*' : foreign?.value;
    const request = db === '' ? 'a request without db' : `a request with db=${db}`;
    return { kind: 'refuse', reason: `${request} cannot reach database ${JSON.stringify(name)}` };
  }
  if (!needsDefault(statement) || (db !== '' && db === expected)) return { kind: 'pass' };
  if (db === '' && !CHANGES.has(statement.type)) {
    return { kind: 'fail', error: 'database name required' };
  }
  // The one statement that does not look whether its database exists.
  if (statement.type === 'show measurements') return { kind: 'empty' };
  return { kind: 'fail', error: `database not found: ${db}` };
}

const CHANGES: ReadonlySet<StatementType> = new Set(['delete', 'drop series', 'drop measurement']);

const WITHOUT_DATABASE: ReadonlySet<StatementType> = new Set([
  'show databases',
  'show continuous queries',
]);

/** These take their database from ON alone: a prefix in FROM does not count. */
const BY_ON_ALONE: ReadonlySet<StatementType> = new Set([
  'show measurements',
  'show tag keys',
  'show tag values',
  'show retention policies',
]);

/** Whether InfluxDB looks at the `db` of the request. */
function needsDefault({ type, database, sources }: Statement): boolean {
  if (WITHOUT_DATABASE.has(type) || database !== undefined) return false;
  const isQualified = ({ db }: Source): boolean => db !== undefined;
  return BY_ON_ALONE.has(type) || sources.length === 0 || !sources.every(isQualified);
}
