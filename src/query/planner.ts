import {
  databasesOf,
  type Name,
  type Statement,
  type StatementType,
} from '../influxql/statement.ts';
import type { Route } from '../routing/keymap.ts';

/** What is done with a query, decided before anything is sent. */
export type Plan =
  /** Only separators, blanks and comments. */
  | { readonly kind: 'nothing' }
  /** `reason` is a sentence for the client. */
  | { readonly kind: 'refuse'; readonly reason: string }
  /** What InfluxDB itself says of such a statement, as the result of the statement. */
  | { readonly kind: 'fail'; readonly error: string }
  /** One replica that has everything answers. */
  | { readonly kind: 'replica'; readonly statement: Statement; readonly route: Route }
  /** Every replica runs it, in order with the writes. */
  | { readonly kind: 'everywhere'; readonly statement: Statement; readonly route: Route }
  /** Every backend creates its own database. */
  | { readonly kind: 'create database' };

export interface Fence {
  /** The `db` of the request: the only database that its statement may name. */
  readonly db: string;
  /** The only database that a request may name; empty: any. */
  readonly own: string;
  readonly routeOf: (measurement: string) => Route | undefined;
}

/** Statements that can be about one measurement. The types that are not here are refused. */
const ROUTED: Partial<Record<StatementType, 'replica' | 'everywhere'>> = {
  select: 'replica',
  'show series': 'replica',
  'show tag keys': 'replica',
  'show tag values': 'replica',
  'show field keys': 'replica',
  delete: 'everywhere',
  'drop series': 'everywhere',
};

/** Pure: works on parsed statements only, never on their text. */
export function planOf(statements: readonly Statement[], fence: Fence): Plan {
  const [statement] = statements;
  if (statement === undefined) return { kind: 'nothing' };
  if (statements.length > 1) {
    return refuse(`a request may hold one statement, this one holds ${statements.length}`);
  }
  if (statement.type === 'create database') return planOfCreation(statement, fence);
  const kind = ROUTED[statement.type];
  if (kind === undefined) return refuse(`${nameOf(statement)} is not supported`);
  if (fence.db === '') return { kind: 'fail', error: 'database name required' };
  if (fence.own !== '' && fence.db !== fence.own) {
    return { kind: 'fail', error: `database not found: ${fence.db}` };
  }
  const foreign = databasesOf(statement).find(({ value }) => value !== fence.db);
  if (foreign !== undefined) return refuse(foreignText(foreign, fence));
  const [source, ...others] = statement.sources;
  if (source?.name === undefined || others.length > 0) {
    return refuse(`${nameOf(statement)} must name exactly one measurement in FROM`);
  }
  const route = fence.routeOf(source.name);
  if (route === undefined) return refuse(`no route for measurement ${JSON.stringify(source.name)}`);
  return { kind, statement, route };
}

/** Clients create their database when they start. The proxy has one; how it keeps data is the servers' own matter. */
function planOfCreation({ database, end }: Statement, { own }: Fence): Plan {
  if (database === undefined) throw new Error('BUG: CREATE DATABASE names no database');
  if (own !== '' && database.value !== own) {
    return refuse(`CREATE DATABASE may name only ${JSON.stringify(own)}`);
  }
  if (end > database.end) return refuse('CREATE DATABASE may not say WITH');
  return { kind: 'create database' };
}

function refuse(reason: string): Plan {
  return { kind: 'refuse', reason };
}

function nameOf({ type }: Statement): string {
  return type.toUpperCase();
}

function foreignText({ value }: Name, { db }: Fence): string {
  return `a request with db=${db} cannot reach database ${JSON.stringify(value)}`;
}
