import type { Budget } from '../../core/budget.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../core/time.ts';
import {
  type Edit,
  freezeNow,
  quoteIdentifier,
  renameDatabase,
  sliceOf,
} from '../../influxql/edit.ts';
import { parseQuery } from '../../influxql/parser.ts';
import { databasesOf, type Statement } from '../../influxql/statement.ts';
import { type Answer, type Executor, type Request } from '../../query/executor.ts';
import { type Plan, planOf } from '../../query/planner.ts';
import type { Replica } from '../../query/replica.ts';
import type { Route } from '../../routing/keymap.ts';
import type { StatementPath } from '../../write/statement-path.ts';
import { inBackground } from '../background.ts';
import { readForm } from '../form.ts';
import { type Parameters, trimSpace } from '../parameters.ts';
import { headerText, type Reply } from '../reply.ts';
import type { Exchange, Handler } from '../routes.ts';

export interface QueryHandlerDeps {
  readonly executor: Executor;
  readonly routeOf: (measurement: string) => Route | undefined;
  readonly statements: StatementPath;
  /** All of them. */
  readonly backends: readonly string[];
  readonly replicasOf: (route: Route) => readonly Replica[];
  readonly budget: Budget;
  /** See BodyLimits. */
  readonly maxStallMs: number;
  /** The database that clients must name; empty: any. */
  readonly db: string;
  /** Log each query. */
  readonly tracing: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Passed on as they are; db and q are replaced, credentials are the backend's own, anything else has no meaning. */
const PASSED_PARAMETERS = ['rp', 'epoch', 'chunked', 'chunk_size', 'params', 'time_format'];

/** `GET` and `POST /query`: parse, plan, execute, stream. */
export function queryHandler(deps: QueryHandlerDeps): Handler {
  return (exchange) => query(exchange, deps);
}

async function query(exchange: Exchange, deps: QueryHandlerDeps): Promise<Reply> {
  const { values: parameters, files } = await readForm(exchange, deps.maxStallMs, deps.budget);
  const q = trimSpace(parameters.get('q') ?? '');
  const text = q === '' ? files.get('q') : q;
  if (text === undefined) throw new ProxyError('QUERY_MISSING', 'missing required parameter "q"');
  const parsed = parseQuery(text, paramsOf(parameters));
  if (!parsed.ok) throw new ProxyError('QUERY_MALFORMED', `error parsing query: ${parsed.error}`);
  if (deps.tracing) trace(exchange, text, parsed.statements, deps.log);
  const db = parameters.get('db') ?? '';
  const plan = planOf(parsed.statements, { db, own: deps.db, routeOf: deps.routeOf });
  if (plan.kind === 'refuse') {
    throw new ProxyError('STATEMENT_REFUSED', `influx-proxy refuses this query: ${plan.reason}`);
  }
  const reply = execute(plan, { exchange, parameters, text }, deps);
  return parameters.get('async') === 'true' ? inBackground(reply, exchange, deps.log) : reply;
}

type Allowed = Exclude<Plan, { kind: 'refuse' }>;

interface Query {
  readonly exchange: Exchange;
  readonly parameters: Parameters;
  readonly text: string;
}

async function execute(plan: Allowed, query: Query, deps: QueryHandlerDeps): Promise<Reply> {
  switch (plan.kind) {
    case 'nothing':
      return { status: 200, json: {} };
    case 'fail':
      return statementError(plan.error);
    case 'replica': {
      const request = requestOf(query, plan.statement, []);
      return replyOf(await deps.executor.read(deps.replicasOf(plan.route), request));
    }
    case 'everywhere': {
      // One moment for all replicas, so that each deletes the same points.
      const frozen = freezeNow(plan.statement, deps.clock.nowNanoseconds());
      const request = requestOf(query, plan.statement, frozen);
      return deps.statements.run({
        backends: plan.route.backends,
        formFor: (db) => request.parametersFor(db).toString(),
        ordered: true,
      });
    }
    case 'create database':
      return deps.statements.run({
        backends: deps.backends,
        formFor: (db) =>
          new URLSearchParams({ q: `CREATE DATABASE ${quoteIdentifier(db)}` }).toString(),
        ordered: false,
      });
  }
}

/** The values of `$name` in the query. InfluxDB takes `null` and `{}` for none. */
function paramsOf(parameters: Parameters): unknown {
  const text = parameters.get('params') ?? '';
  if (text === '') return undefined;
  try {
    return JSON.parse(text) ?? undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProxyError('QUERY_MALFORMED', `error parsing query parameters: ${reason}`);
  }
}

/** The client's own text, with the database's name on the backend in every place where the client named it. */
function requestOf(query: Query, statement: Statement, edits: readonly Edit[]): Request {
  const { exchange, parameters, text } = query;
  const own = parameters.get('db') ?? '';
  const textFor = (db: string): string =>
    sliceOf(text, statement, [...edits, ...renameDatabase(databasesOf(statement), own, db)]);
  const { headers } = exchange.request;
  const passed = pick(parameters, PASSED_PARAMETERS);
  const pretty = pick(exchange.parameters, ['pretty']);
  return {
    parametersFor: (db) =>
      new URLSearchParams([...passed, ...pretty, ['db', db], ['q', textFor(db)]]),
    headers: {
      ...(headers.accept !== undefined && { accept: headers.accept }),
      // InfluxDB compresses when this holds `gzip`; its bytes go to the client as they come.
      ...(headers['accept-encoding']?.includes('gzip') === true && { 'accept-encoding': 'gzip' }),
    },
    signal: exchange.signal,
  };
}

function pick(parameters: Parameters, names: readonly string[]): [string, string][] {
  return names.flatMap((name) => {
    const value = parameters.get(name);
    return value === undefined ? [] : [[name, value]];
  });
}

function replyOf({ status, contentType, contentEncoding, errorHeader, body }: Answer): Reply {
  return {
    status,
    body,
    headers: {
      'Content-Type': contentType,
      ...(contentEncoding !== undefined && { 'Content-Encoding': contentEncoding }),
      ...(errorHeader !== undefined && { 'X-Influxdb-Error': headerText(errorHeader) }),
    },
  };
}

/** An error of the statement, not of the request: InfluxDB answers 200. */
function statementError(error: string): Reply {
  return { status: 200, json: { results: [{ statement_id: 0, error }] } };
}

function trace(
  { requestId }: Exchange,
  text: string,
  statements: readonly Statement[],
  log: Log,
): void {
  const secrets = statements.flatMap((statement) => statement.secrets);
  const shown = secrets.reduceRight(
    (rest, { start, end }) => `${rest.slice(0, start)}[REDACTED]${rest.slice(end)}`,
    text,
  );
  log.info({ requestId, query: shown }, 'query');
}
