import { type Dispatcher, Pool } from 'undici';
import { codeOf, messageOf } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';
import {
  type Outcome,
  outcomeOf,
  outcomeOfFailure,
  type StatementOutcome,
  statementOutcomeOf,
} from './outcome.ts';

/** What one InfluxDB server is reached by; a slice of the configuration. Times are milliseconds. */
export interface ServerOptions {
  readonly url: string;
  readonly db: string;
  readonly username: string;
  readonly password: string;
  readonly timeout: number;
  readonly timeoutQuery: number;
}

export interface WriteBody {
  readonly rp: string;
  readonly precision: string;
  readonly payload: Buffer;
  readonly gzipped: boolean;
}

/** The answer to a query, its body not read yet. The caller reads it to the end or destroys it. */
export type QueryAnswer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

/** Bytes of an answer to a write that are read; influxd's longest list of unparsable lines is cut there. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** One InfluxDB server (or anything that takes line protocol on `/write`) over kept-alive connections. */
export class InfluxServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #pathPrefix: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: ServerOptions, clock: Clock) {
    const url = new URL(options.url);
    this.#options = options;
    this.#clock = clock;
    this.#pathPrefix = url.pathname.replace(/\/+$/, '');
    this.#headers = authorizationOf(options);
    // Our own timers bound each request as a whole, so undici's are off. No limit of connections: a request that waits
    // for one cannot be aborted, and slow queries would hold up the writes and the probes.
    this.#pool = new Pool(url.origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: Math.min(options.timeout, 10_000) },
    });
  }

  /** Never rejects: whatever happens to the request is an outcome. Bounded by `timeout`. */
  async write(body: WriteBody): Promise<Outcome> {
    const { signal, cancel } = this.#deadline(this.#options.timeout);
    try {
      const {
        statusCode,
        headers,
        body: answer,
      } = await this.#pool.request({
        path: `${this.#pathPrefix}/write?${writeParameters(this.#options.db, body)}`,
        method: 'POST',
        headers: {
          ...this.#headers,
          'content-type': 'text/plain; charset=utf-8',
          ...(body.gzipped && { 'content-encoding': 'gzip' }),
        },
        body: body.payload,
        signal,
      });
      const text = await readText(answer);
      const retryAfter = headers['retry-after'];
      return outcomeOf(
        { status: statusCode, retryAfter: retryAfter?.toString(), body: text },
        this.#clock.now(),
      );
    } catch (error) {
      return outcomeOfFailure(signal.aborted ? signal.reason : error);
    } finally {
      cancel();
    }
  }

  /**
   * Sends one query as a form, whatever the client used, so that its length is not bounded by a URL and a statement
   * that changes data is not marked deprecated. Rejects when no answer comes; `signal` also ends a body being read.
   */
  query(
    parameters: URLSearchParams,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<QueryAnswer> {
    const form = new URLSearchParams(parameters);
    form.set('db', this.#options.db);
    return this.#pool.request({
      path: `${this.#pathPrefix}/query${form.get('pretty') === 'true' ? '?pretty=true' : ''}`,
      method: 'POST',
      headers: {
        ...this.#headers,
        ...headers,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
      signal,
    });
  }

  /** Runs one statement that changes data; `form` holds the parameters, urlencoded. Never rejects. Bounded by `timeoutQuery`. */
  async execute(form: string): Promise<StatementOutcome> {
    const { signal, cancel } = this.#deadline(this.#options.timeoutQuery);
    try {
      const answer = await this.query(new URLSearchParams(form), {}, signal);
      return statementOutcomeOf(answer.statusCode, await readText(answer.body));
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error;
      return { kind: 'failed', reason: codeOf(reason) ?? messageOf(reason) };
    } finally {
      cancel();
    }
  }

  /** The server's version (`unknown` if it does not say) when it answers `/ping` with a 2xx in time, else rejects. */
  async ping(timeoutMs: number): Promise<string> {
    const { signal, cancel } = this.#deadline(timeoutMs);
    try {
      const { statusCode, headers, body } = await this.#pool.request({
        path: `${this.#pathPrefix}/ping`,
        method: 'GET',
        headers: this.#headers,
        signal,
      });
      await body.dump();
      if (statusCode < 200 || statusCode > 299) throw new Error(`/ping answered ${statusCode}`);
      return headers['x-influxdb-version']?.toString() ?? 'unknown';
    } finally {
      cancel();
    }
  }

  /** Ends at once whatever is still open. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #deadline(ms: number): { signal: AbortSignal; cancel: () => void } {
    const controller = new AbortController();
    const cancel = this.#clock.after(ms, () => {
      controller.abort(new Error(`no answer within ${ms} ms`));
    });
    return { signal: controller.signal, cancel };
  }
}

function authorizationOf({ username, password }: ServerOptions): Record<string, string> {
  if (username === '') return {};
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  return { authorization: `Basic ${credentials}` };
}

function writeParameters(db: string, { rp, precision }: WriteBody): string {
  return new URLSearchParams({ db, rp, precision }).toString();
}

/** Reads to the end, so that the connection can be used again, but keeps only the first part. */
async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (bytes < MAX_ANSWER_BYTES) chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}
