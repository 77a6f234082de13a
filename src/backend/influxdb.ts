import { type Dispatcher, Pool } from 'undici';
import { codeOf, messageOf } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';
import { AnswerReader, type ShortAnswer } from './answer-reader.ts';
import {
  type Outcome,
  outcomeOf,
  outcomeOfFailure,
  type StatementOutcome,
  statementOutcomeOf,
} from './outcome.ts';
import { QueryInFlight } from './query-in-flight.ts';

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

/** Parameters of a query, with the database left out: each server has its own. */
export type QueryForm = readonly (readonly [name: string, value: string])[];

/** One InfluxDB server (or anything that takes line protocol on `/write`) over kept-alive connections. */
export class InfluxServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #pathPrefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  // Of lines, as they are and compressed.
  readonly #textHeaders: Readonly<Record<string, string>>;
  readonly #gzipHeaders: Readonly<Record<string, string>>;

  constructor(options: ServerOptions, clock: Clock) {
    const url = new URL(options.url);
    this.#options = options;
    this.#clock = clock;
    this.#pathPrefix = url.pathname.replace(/\/+$/, '');
    this.#headers = authorizationOf(options);
    this.#textHeaders = { ...this.#headers, 'content-type': 'text/plain; charset=utf-8' };
    this.#gzipHeaders = { ...this.#textHeaders, 'content-encoding': 'gzip' };
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
    const { rp, precision, payload, gzipped } = body;
    const headers = gzipped ? this.#gzipHeaders : this.#textHeaders;
    try {
      const form = formText([
        ['db', this.#options.db],
        ['rp', rp],
        ['precision', precision],
      ]);
      const path = `${this.#pathPrefix}/write?${form}`;
      const request = { path, method: 'POST', headers, body: payload } as const;
      const answer = await this.#ask(request, this.#options.timeout);
      const retryAfter = answer.headers['retry-after']?.toString();
      return outcomeOf({ status: answer.status, retryAfter, body: answer.text }, this.#clock.now());
    } catch (error) {
      return outcomeOfFailure(error);
    }
  }

  /**
   * Sends one query as a form, whatever the client used, so that its length is not bounded by a URL and a statement
   * that changes data is not marked deprecated. Not bounded in time.
   */
  query(form: QueryForm, headers: Readonly<Record<string, string>>): QueryInFlight {
    const query = new QueryInFlight();
    this.#pool.dispatch(this.#queryOf(form, headers), query);
    return query;
  }

  /** Runs one statement that changes data; `form` holds the parameters, urlencoded. Never rejects. Bounded by `timeoutQuery`. */
  async execute(form: string): Promise<StatementOutcome> {
    const request = this.#queryOf([...new URLSearchParams(form)], {});
    try {
      const { status, text } = await this.#ask(request, this.#options.timeoutQuery);
      return statementOutcomeOf(status, text);
    } catch (error) {
      return { kind: 'failed', reason: codeOf(error) ?? messageOf(error) };
    }
  }

  /** The server's version (`unknown` if it does not say) when it answers `/ping` with a 2xx in time, else rejects. */
  async ping(timeoutMs: number): Promise<string> {
    const request = { path: `${this.#pathPrefix}/ping`, method: 'GET', headers: this.#headers };
    const { status, headers } = await this.#ask(request, timeoutMs);
    if (status < 200 || status > 299) throw new Error(`/ping answered ${status}`);
    return headers['x-influxdb-version']?.toString() ?? 'unknown';
  }

  /** Ends at once whatever is still open. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #queryOf(form: QueryForm, headers: Readonly<Record<string, string>>) {
    const isPretty = form.some(([name, value]) => name === 'pretty' && value === 'true');
    return {
      path: `${this.#pathPrefix}/query${isPretty ? '?pretty=true' : ''}`,
      method: 'POST' as const,
      headers: {
        ...this.#headers,
        ...headers,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: formText([...form, ['db', this.#options.db]]),
    };
  }

  /** Rejects when no whole answer has come after `timeoutMs`. */
  async #ask(request: Dispatcher.DispatchOptions, timeoutMs: number): Promise<ShortAnswer> {
    const reader = new AnswerReader();
    const cancel = this.#clock.after(timeoutMs, () => {
      reader.giveUp(new Error(`no answer within ${timeoutMs} ms`));
    });
    try {
      this.#pool.dispatch(request, reader);
      return await reader.answer;
    } finally {
      cancel();
    }
  }
}

function authorizationOf({ username, password }: ServerOptions): Record<string, string> {
  if (username === '') return {};
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  return { authorization: `Basic ${credentials}` };
}

/** URLSearchParams takes several times as long. */
function formText(form: QueryForm): string {
  return form.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}
