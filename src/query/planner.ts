import type { Statement, StatementType } from '../influxql/statement.ts';
import type { Route } from '../routing/keymap.ts';
import { databaseVerdict, type Fence } from './fence.ts';
import { obstacleTo, mergeOf, type Merge } from './merge-rules.ts';

/** What is done for one statement. */
export type Step =
  /** What InfluxDB itself says of such a statement, as its result. */
  | { readonly kind: 'fail'; readonly error: string }
  /** InfluxDB's answer when it finds nothing. */
  | { readonly kind: 'empty' }
  /** SHOW DATABASES: the database that clients know. */
  | { readonly kind: 'databases' }
  | ReadStep
  /** Each of the backends runs it, in order with the writes. */
  | {
      readonly kind: 'everywhere';
      readonly statement: Statement;
      readonly backends: readonly string[];
    }
  /** Every backend creates its own database. */
  | { readonly kind: 'create database' };

export interface ReadStep {
  readonly kind: 'read';
  readonly statement: Statement;
  /** Whoever could hold something that the statement names: each of these must be answered for. */
  readonly routes: readonly Route[];
  /** The backends that each hold all of it, and nothing beside it that could show. */
  readonly holders: readonly string[];
  /** How the answers of several backends become one. */
  readonly merge: Merge;
  /** Why they cannot; undefined: they can. */
  readonly obstacle: string | undefined;
}

/** What is done with a query, decided as a whole before anything is sent. */
export type Plan =
  /** `reason` is a sentence for the client. */
  | { readonly kind: 'refuse'; readonly reason: string }
  /** One step per statement; none for a query of separators, blanks and comments. */
  | { readonly kind: 'run'; readonly steps: readonly Step[] };

export interface Rules extends Fence {
  readonly routeOf: (measurement: string) => Route | undefined;
  /** All of the keymap. */
  readonly routes: readonly Route[];
  /** A measurement that the keymap does not name has a route. */
  readonly hasDefault: boolean;
  /** All names. */
  readonly backends: readonly string[];
  /** Statements that the operator allows beyond the safe ones. */
  readonly allowed: ReadonlySet<StatementType>;
}

/** Why a statement, and with it the whole query, is not run. */
class Refusal extends Error {}

/** Pure: works on parsed statements only, never on their text. */
export function planOf(statements: readonly Statement[], rules: Rules): Plan {
  try {
    return { kind: 'run', steps: statements.map((statement) => stepOf(statement, rules)) };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refuse', reason: error.message };
    throw error;
  }
}

function stepOf(statement: Statement, rules: Rules): Step {
  const { type } = statement;
  if (type === 'create database') return creation(statement, rules);
  const isRead = mergeOf(statement) !== undefined;
  const isChange = CHANGES.has(type) || (ALLOWABLE.has(type) && rules.allowed.has(type));
  if ((!isRead && !isChange && type !== 'show databases') || statement.into !== undefined) {
    throw new Refusal(`${nameOf(statement)} is not supported${hintOf(type)}`);
  }
  const verdict = databaseVerdict(statement, rules);
  if (verdict.kind === 'refuse') throw new Refusal(verdict.reason);
  if (verdict.kind !== 'pass') return verdict;
  if (type === 'show databases') return { kind: 'databases' };
  return isChange ? change(statement, rules) : read(statement, rules);
}

const CHANGES: ReadonlySet<StatementType> = new Set(['delete', 'drop series']);
const ALLOWABLE: ReadonlySet<StatementType> = new Set([
  'drop measurement',
  'create retention policy',
  'alter retention policy',
  'drop retention policy',
]);

function hintOf(type: StatementType): string {
  return ALLOWABLE.has(type) ? ' unless proxy.allowStatements names it' : '';
}

/** Clients create their database when they start. The proxy has one; how it keeps data is the servers' own matter. */
function creation({ database, end }: Statement, { own }: Rules): Step {
  if (database === undefined) throw new Error('BUG: CREATE DATABASE names no database');
  if (own !== '' && database.value !== own) {
    throw new Refusal(`CREATE DATABASE may name only ${JSON.stringify(own)}`);
  }
  if (end > database.end) throw new Refusal('CREATE DATABASE may not say WITH');
  return { kind: 'create database' };
}

/** Every holder of what is named; of a pattern, or of everything, all of them. What a backend does not own may go too. */
function change(statement: Statement, rules: Rules): Step {
  const routes = routesOf(statement, rules);
  const isEverything = routes === undefined || routes.length === 0;
  const backends = isEverything ? rules.backends : routes.flatMap((route) => route.backends);
  return { kind: 'everywhere', statement, backends: [...new Set(backends)] };
}

function read(statement: Statement, rules: Rules): Step {
  const merge = mergeOf(statement);
  if (merge === undefined) throw new Error(`BUG: ${statement.type} is no read`);
  const named = routesOf(statement, rules);
  const routes = named ?? rules.routes;
  // Who is asked about all of its measurements shows those too that it does not own, such as old copies.
  const mayAnswerAlone =
    merge !== 'continuous queries' && (named !== undefined || rules.hasDefault);
  const holders = mayAnswerAlone ? intersection(routes) : [];
  const obstacle = obstacleTo(statement, merge);
  if (obstacle !== undefined && holders.length === 0 && named !== undefined) {
    throw new Refusal(`${nameOf(statement)} of measurements on several servers: ${obstacle}`);
  }
  return { kind: 'read', statement, routes, holders, merge, obstacle };
}

/** Of the measurements that the statement names, each once. Undefined: it names none, or a pattern, so that any may be meant. */
function routesOf(statement: Statement, { routeOf }: Rules): readonly Route[] | undefined {
  const { sources } = statement;
  const routes = sources.map(({ name }) => {
    if (name === undefined) return undefined;
    const route = routeOf(name);
    if (route === undefined) throw new Refusal(`no route for measurement ${JSON.stringify(name)}`);
    return route;
  });
  if (sources.length === 0 || routes.includes(undefined)) return undefined;
  return [...new Set(routes.filter((route) => route !== undefined))];
}

/** The backends that are on all of these routes. */
export function intersection(routes: readonly Route[]): readonly string[] {
  const [first, ...others] = routes;
  if (first === undefined) return [];
  return first.backends.filter((name) => others.every(({ backends }) => backends.includes(name)));
}

function nameOf({ type, into }: Statement): string {
  return into !== undefined && type.startsWith('explain') ? 'EXPLAIN INTO' : type.toUpperCase();
}
