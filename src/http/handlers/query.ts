import type { Budget } from '../../core/budget.ts';
import { messageOf, ProxyError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Memo } from '../../core/memo.ts';
import { parseQuery } from '../../influxql/parser.ts';
import type { Statement } from '../../influxql/statement.ts';
import type { Answer, QueryEngine } from '../../query/engine.ts';
import { type Plan, planOf, type Rules, type Step } from '../../query/planner.ts';
import { inBackground } from '../background.ts';
import { readForm } from '../form.ts';
import { type Parameters, trimSpace } from '../parameters.ts';
import { headerText, type Reply } from '../reply.ts';
import type { Exchange, Handler } from '../routes.ts';

export interface QueryHandlerDeps {
  readonly engine: QueryEngine;
  readonly rules: Omit<Rules, 'db'>;
  readonly budget: Budget;
  /** See BodyLimits. */
  readonly maxStallMs: number;
  /** Log each query. */
  readonly tracing: boolean;
  readonly log: Log;
}

/** `GET` and `POST /query`: parse, plan, execute, stream. */
export function queryHandler(deps: QueryHandlerDeps): Handler {
  const all = { ...deps, memo: new Memo<Reading>() };
  return (exchange) => query(exchange, all);
}

/** What a query says, and what is done with it; the same for the same text, parameters and database. */
interface Reading {
  readonly statements: readonly Statement[];
  readonly plan: Plan;
}

interface Deps extends QueryHandlerDeps {
  readonly memo: Memo<Reading>;
}

async function query(exchange: Exchange, deps: Deps): Promise<Reply> {
  const { values: parameters, files } = await readForm(exchange, deps.maxStallMs, deps.budget);
  const q = trimSpace(parameters.get('q') ?? '');
  const text = q === '' ? files.get('q') : q;
  if (text === undefined) throw new ProxyError('QUERY_MISSING', 'missing required parameter "q"');
  const { statements, plan } = readingOf(text, parameters, deps);
  if (deps.tracing) trace(exchange, text, statements, deps.log);
  if (plan.kind === 'refuse') {
    throw new ProxyError('STATEMENT_REFUSED', `influx-proxy refuses this query: ${plan.reason}`);
  }
  const reply = execute(plan.steps, { exchange, parameters, text }, deps);
  return parameters.get('async') === 'true' ? inBackground(reply, exchange, deps.log) : reply;
}

interface Query {
  readonly exchange: Exchange;
  readonly parameters: Parameters;
  readonly text: string;
}

async function execute(
  steps: readonly Step[],
  { exchange, parameters, text }: Query,
  { engine }: QueryHandlerDeps,
): Promise<Reply> {
  if (steps.length === 0) {
    // A chunked answer has a document for each statement.
    const isChunked = parameters.get('chunked') === 'true';
    return { status: 200, ...(isChunked ? { body: '' } : { json: {} }) };
  }
  // pretty is read from the URL alone.
  const pretty = exchange.parameters.get('pretty') === 'true';
  const { signal } = exchange;
  const headers = accepted(exchange);
  return replyOf(await engine.answer(steps, { text, parameters, pretty, headers, signal }));
}

/** Throws when the text or its parameters cannot be read. */
function readingOf(text: string, parameters: Parameters, { rules, memo }: Deps): Reading {
  const db = parameters.get('db') ?? '';
  const params = parameters.get('params') ?? '';
  // With the lengths no two of them are alike, whatever a client puts into its parts.
  const lengths = `${db.length} ${params.length} `;
  const key = `${lengths}${db}${params}${text}`;
  return memo.of(key, () => {
    // Pieces of the key: of a piece of a form V8 would keep the whole form, which may be megabytes.
    const kept = key.slice(lengths.length);
    const parsed = parseQuery(kept.slice(db.length + params.length), valuesOf(params));
    if (!parsed.ok) throw new ProxyError('QUERY_MALFORMED', `error parsing query: ${parsed.error}`);
    const { statements } = parsed;
    return { statements, plan: planOf(statements, { ...rules, db: kept.slice(0, db.length) }) };
  });
}

/** The values of `$name` in the query. InfluxDB takes `null` and `{}` for none. */
function valuesOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) ?? undefined;
  } catch (error) {
    const text = `error parsing query parameters: ${messageOf(error)}`;
    throw new ProxyError('QUERY_MALFORMED', text);
  }
}

function accepted({ request }: Exchange): Record<string, string> {
  const { accept, 'accept-encoding': encoding } = request.headers;
  const headers: Record<string, string> = {};
  if (accept !== undefined) headers['accept'] = accept;
  // InfluxDB compresses when this holds `gzip`; its bytes go to the client as they come.
  if (encoding?.includes('gzip') === true) headers['accept-encoding'] = 'gzip';
  return headers;
}

function replyOf(answer: Answer): Reply {
  const { status, contentType, contentEncoding, errorHeader, body, backends } = answer;
  const headers: Record<string, string> = { 'Content-Type': contentType };
  if (contentEncoding !== undefined) headers['Content-Encoding'] = contentEncoding;
  if (errorHeader !== undefined) headers['X-Influxdb-Error'] = headerText(errorHeader);
  if (backends.length > 0) headers['X-Influx-Proxy-Backend'] = backends.join(', ');
  return { status, body, headers };
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
