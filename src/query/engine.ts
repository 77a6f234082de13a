import { Readable } from 'node:stream';
import type { QueryAnswer } from '../backend/query-in-flight.ts';
import type { Budget } from '../core/budget.ts';
import { messageOf, ProxyError } from '../core/errors.ts';
import { Signal } from '../core/signal.ts';
import type { StatementType } from '../influxql/statement.ts';
import { type Item, parseAnswer } from './answer-reader.ts';
import { envelopeOf, type Result } from './envelope.ts';
import type { Executor } from './executor.ts';
import { QueryRejected, StatementFailed } from './failure.ts';
import { Lease } from './lease.ts';
import { hidesMissingDatabase } from './merge-rules.ts';
import { pick } from './parameters.ts';
import type { ReadStep, Step } from './planner.ts';
import { PrettyPrinter } from './pretty.ts';
import { statementText } from './question.ts';
import { byteString, rawOf, textOf } from './raw-json.ts';
import type { Replica } from './replica.ts';
import { Scope } from './scope.ts';
import type { StatementReader } from './statement-reader.ts';

/** What a client gets; `body` is a stream of which the first bytes are there, and that nobody has read from yet. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
  /** Of an answer that is not a 2xx: InfluxDB's error once more, as a header. */
  readonly errorHeader: string | undefined;
  readonly body: Readable | Buffer | string;
  /** Who answered, as far as it is known by now. */
  readonly backends: readonly string[];
}

/** A query as a client sent it. */
export interface QueryRequest {
  readonly text: string;
  /** Of the URL and the body, decoded. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly pretty: boolean;
  /** What the client accepts, for answers that are passed on as they come. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the client has gone. */
  readonly signal: Signal;
}

export type ChangeStep = Extract<Step, { kind: 'everywhere' | 'create database' }>;

export interface EngineDeps {
  readonly executor: Executor;
  readonly reader: StatementReader;
  /** Bytes of answers that are being merged, of all queries together. */
  readonly budget: Budget;
  /** The only database that clients may name; empty: any. */
  readonly own: string;
  /** The names that the servers have for it, each once. */
  readonly stored: readonly string[];
  /** Runs a statement that changes data, and answers as InfluxDB does. */
  readonly change: (
    step: ChangeStep,
    request: QueryRequest,
  ) => Promise<{ readonly status: number; readonly body: string }>;
}

/** Passed on with a statement whose answer the client gets as it comes. */
const PASSED = ['rp', 'epoch', 'chunked', 'chunk_size', 'params', 'time_format'];

/** Characters of an answer that are made before it begins: by then most answers are whole, and it is known who gave them. */
const HELD_BACK = 64 * 1024;
/** InfluxDB's own. */
const DEFAULT_CHUNK_SIZE = 10_000;
const JSON_TYPE = 'application/json';

/** With `chunked=true` InfluxDB sends these a document per measurement, without saying that more follow. */
const UNMARKED: ReadonlySet<StatementType> = new Set([
  'show measurements',
  'show tag keys',
  'show tag values',
]);

/** Turns the steps of a plan into one answer. */
export class QueryEngine {
  readonly #deps: EngineDeps;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
  }

  /** Rejects with a ProxyError when nothing could be run. */
  async answer(steps: readonly Step[], request: QueryRequest): Promise<Answer> {
    const only = steps.length === 1 ? steps[0] : undefined;
    if (only?.kind === 'read') {
      const passed = await this.#passedOn(only, request);
      if (passed !== undefined) return passed;
    } else if (only?.kind === 'everywhere' || only?.kind === 'create database') {
      return { ...PLAIN, ...(await this.#deps.change(only, request)) };
    }
    return this.#assembled(steps, request);
  }

  /** The answer to the only statement, if a server makes all of it. Undefined: no replica can answer alone. */
  async #passedOn(step: ReadStep, request: QueryRequest): Promise<Answer | undefined> {
    if (step.statement.type === 'explain analyze') return undefined; // it shows the server's name of the database
    const { executor, reader } = this.#deps;
    const order = reader.aloneOrder(step);
    const isOnlyWay = reader.mustBeAlone(step);
    if (order.length === 0 && !isOnlyWay) return undefined;
    try {
      const read = await executor.read(order, (one) => passing(one, step, request));
      return passedAnswer(read.replica, read.result);
    } catch (error) {
      if (isOnlyWay || !(error instanceof ProxyError)) throw error;
      return undefined;
    }
  }

  async #assembled(steps: readonly Step[], request: QueryRequest): Promise<Answer> {
    const backends = new Set<string>();
    const isChunked = request.parameters.get('chunked') === 'true';
    const results = steps.map((step, at) => this.#resultOf(step, at, { request, backends }));
    const texts = laidOut(envelopeOf(results, isChunked), request.pretty);
    let held = '';
    let isWhole = false;
    try {
      while (!isWhole && held.length < HELD_BACK && !(isChunked && held !== '')) {
        const next = await texts.next();
        if (next.done === true) isWhole = true;
        else held += next.value;
      }
    } catch (error) {
      if (!(error instanceof QueryRejected)) throw error;
      return rejection(error);
    }
    const body = isWhole ? Buffer.from(held, 'latin1') : streamOf(held, texts, isChunked);
    return { ...PLAIN, status: 200, body, backends: [...backends] };
  }

  #resultOf(
    step: Step,
    at: number,
    { request, backends }: { request: QueryRequest; backends: Set<string> },
  ): Result {
    const items = this.#itemsOf(step, request, (backend) => backends.add(backend));
    const isMarked = step.kind !== 'read' || !UNMARKED.has(step.statement.type);
    return { items: asResult(items, at === 0), marksPartial: isMarked };
  }

  async *#itemsOf(
    step: Step,
    request: QueryRequest,
    onAnswer: (backend: string) => void,
  ): AsyncGenerator<Item, void, undefined> {
    switch (step.kind) {
      case 'fail':
        throw new StatementFailed(step.error);
      case 'empty':
        return;
      case 'databases':
        yield this.#databases(request);
        return;
      case 'read':
        yield* this.#read(step, request, onAnswer);
        return;
      case 'everywhere':
      case 'create database':
        yield* changed(await this.#deps.change(step, request));
    }
  }

  async *#read(
    step: ReadStep,
    { text, parameters, signal }: QueryRequest,
    onAnswer: (backend: string) => void,
  ): AsyncGenerator<Item, void, undefined> {
    const lease = new Lease(this.#deps.budget);
    const end = new Signal();
    const scope = new Scope({
      subject: { text, statement: step.statement },
      parameters,
      pieceRows: pieceRowsOf(parameters),
      db: this.#deps.own === '' ? (parameters.get('db') ?? '') : this.#deps.own,
      signal: end,
      lease,
      onAnswer,
    });
    const finish = (): void => {
      end.abort();
      lease.release();
    };
    // An answer that nobody reads on is not told that it has ended.
    const forget = signal.onAbort(finish);
    try {
      yield* this.#deps.reader.read(step, scope);
    } finally {
      forget();
      finish();
    }
  }

  /** With no name of its own the proxy has whichever a client uses: the one of this request, and those of the servers. */
  #databases({ parameters }: QueryRequest): Item {
    const { own, stored } = this.#deps;
    const asked = parameters.get('db') ?? '';
    const names = own !== '' ? [own] : asked === '' ? stored : [...new Set([asked, ...stored])];
    const rows = names.map((name) => `[${rawOf(name)}]`).join(',');
    return {
      kind: 'piece',
      name: '"databases"',
      tags: '',
      columns: '["name"]',
      rows,
      partial: false,
    };
  }
}

const PLAIN = {
  contentType: JSON_TYPE,
  contentEncoding: undefined,
  errorHeader: undefined,
  backends: [],
};

/** The statement with the client's own parameters. */
function passing({ db }: Replica, { statement }: ReadStep, request: QueryRequest) {
  const { text, parameters, pretty, headers, signal } = request;
  const passed = pick(parameters, PASSED);
  const layout: [string, string][] = pretty ? [['pretty', 'true']] : [];
  const q = statementText({ text, statement }, db);
  return {
    form: [...passed, ...layout, ['q', q]] as const,
    headers,
    signal,
    hidesMissingDatabase: hidesMissingDatabase(statement),
  };
}

function passedAnswer({ name }: Replica, { status, headers, body }: QueryAnswer): Answer {
  return {
    status,
    contentType: headers['content-type']?.toString() ?? JSON_TYPE,
    contentEncoding: headers['content-encoding']?.toString(),
    errorHeader: headers['x-influxdb-error']?.toString(),
    body,
    backends: [name],
  };
}

function rejection({ status, message }: QueryRejected): Answer {
  const body = Buffer.from(`{"error":${rawOf(message)}}\n`, 'latin1');
  return { ...PLAIN, status, body, errorHeader: message };
}

/** Undefined: the client wants one document. */
function pieceRowsOf(parameters: ReadonlyMap<string, string>): number | undefined {
  if (parameters.get('chunked') !== 'true') return undefined;
  const size = parameters.get('chunk_size') ?? '';
  return /^\+?0*[1-9]\d{0,8}$/.test(size) ? Number(size) : DEFAULT_CHUNK_SIZE;
}

/**
 * What went wrong with a statement, as its result. A text that a server refuses altogether is an error of the request, if
 * nothing of the request has been run yet.
 */
async function* asResult(items: AsyncIterable<Item>, isFirst: boolean): AsyncGenerator<Item> {
  let isOpen = false;
  try {
    for await (const item of items) {
      isOpen = true;
      yield item;
    }
  } catch (error) {
    const isOwn = error instanceof ProxyError && !isOpen;
    const isLate = error instanceof QueryRejected && !isFirst;
    throw isOwn || isLate ? new StatementFailed(messageOf(error)) : error;
  }
}

/** The answer of a server to a statement that changed data. */
function* changed({ status, body }: { status: number; body: string }): Generator<Item> {
  const { items, error } = parseAnswer(byteString(body));
  yield* items;
  if (error === undefined) return;
  throw status === 200
    ? new StatementFailed(textOf(error))
    : new QueryRejected(status, textOf(error));
}

async function* laidOut(texts: AsyncIterable<string>, pretty: boolean): AsyncGenerator<string> {
  const printer = new PrettyPrinter();
  for await (const text of texts) yield pretty ? printer.next(text) : text;
}

/** Documents go out one by one; one long document in larger parts than its rows. */
function streamOf(held: string, texts: AsyncIterable<string>, isChunked: boolean): Readable {
  const parts = async function* (): AsyncGenerator<Buffer> {
    let waiting = held;
    for await (const text of texts) {
      if (waiting.length >= HELD_BACK || isChunked) {
        yield Buffer.from(waiting, 'latin1');
        waiting = '';
      }
      waiting += text;
    }
    yield Buffer.from(waiting, 'latin1');
  };
  return Readable.from(parts(), { objectMode: false });
}
