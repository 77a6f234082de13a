import type { Budget } from '../../core/budget.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { parseQuery } from '../../influxql/parser.ts';
import type { Statement } from '../../influxql/statement.ts';
import type { Answer, QueryEngine } from '../../query/engine.ts';
import { planOf, type Rules, type Step } from '../../query/planner.ts';
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
  const plan = planOf(parsed.statements, { ...deps.rules, db: parameters.get('db') ?? '' });
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

function accepted({ request }: Exchange): Record<string, string> {
  const { accept, 'accept-encoding': encoding } = request.headers;
  return {
    ...(accept !== undefined && { accept }),
    // InfluxDB compresses when this holds `gzip`; its bytes go to the client as they come.
    ...(encoding?.includes('gzip') === true && { 'accept-encoding': 'gzip' }),
  };
}

function replyOf(answer: Answer): Reply {
  const { status, contentType, contentEncoding, errorHeader, body, backends } = answer;
  return {
    status,
    body,
    headers: {
      'Content-Type': contentType,
      ...(contentEncoding !== undefined && { 'Content-Encoding': contentEncoding }),
      ...(errorHeader !== undefined && { 'X-Influxdb-Error': headerText(errorHeader) }),
      ...(backends.length > 0 && { 'X-Influx-Proxy-Backend': backends.join(', ') }),
    },
  };
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
