import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { codeOf, messageOf } from '../core/errors.ts';
import { Scavenger } from '../core/scavenger.ts';
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

/** Characters of a form that still go into a URL; a load balancer takes 8 KiB as a rule. */
const MAX_URL_FORM = 4096;

/** One InfluxDB server (or anything that takes line protocol on `/write`) over kept-alive connections. */
export class InfluxServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #scavenger: Scavenger;
  readonly #pool: Pool;
  readonly #pathPrefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  // Of lines, as they are and compressed.
  readonly #textHeaders: Readonly<Record<string, string>>;
  readonly #gzipHeaders: Readonly<Record<string, string>>;

  constructor(options: ServerOptions, clock: Clock, scavenger = new Scavenger()) {
    const url = new URL(options.url);
    this.#options = options;
    this.#clock = clock;
    this.#scavenger = scavenger;
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
      const parameters = this.#textOf([
        ['rp', rp],
        ['precision', precision],
      ]);
      const path = `${this.#pathPrefix}/write?${parameters}`;
      const request = { path, method: 'POST', headers, body: payload } as const;
      const answer = await this.#ask(request, this.#options.timeout);
      const retryAfter = answer.headers['retry-after']?.toString();
      return outcomeOf({ status: answer.status, retryAfter, body: answer.text }, this.#clock.now());
    } catch (error) {
      return outcomeOfFailure(error);
    }
  }

  /**
   * Sends one query that changes nothing, whatever way the client used: in a URL, which takes a tenth less of the CPU time of
   * a small query than a form, or as a form, whose length nobody bounds. Not bounded in time.
   */
  query(form: QueryForm, headers: Readonly<Record<string, string>>): QueryInFlight {
    const query = new QueryInFlight(this.#scavenger);
    const text = this.#textOf(form);
    this.#pool.dispatch(
      text.length > MAX_URL_FORM
        ? this.#asForm(form, headers)
        : { path: this.#queryPath(text), method: 'GET', headers: { ...this.#headers, ...headers } },
      query,
    );
    return query;
  }

  /**
   * Runs one statement that changes data; `form` holds the parameters, urlencoded. As a form: InfluxDB marks such a statement
   * in a URL as deprecated. Never rejects. Bounded by `timeoutQuery`.
   */
  async execute(form: string): Promise<StatementOutcome> {
    const request = this.#asForm([...new URLSearchParams(form)], {});
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

  #queryPath(parameters: string): string {
    return `${this.#pathPrefix}/query${parameters === '' ? '' : `?${parameters}`}`;
  }

  #asForm(form: QueryForm, headers: Readonly<Record<string, string>>) {
    // InfluxDB looks for it in the URL alone.
    const isPretty = form.some(([name, value]) => name === 'pretty' && value === 'true');
    return {
      path: this.#queryPath(isPretty ? 'pretty=true' : ''),
      method: 'POST' as const,
      headers: {
        ...this.#headers,
        ...headers,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: this.#textOf(form),
    };
  }

  /** Urlencoded; URLSearchParams takes several times as long. */
  #textOf(form: QueryForm): string {
    let text = '';
    for (const [name, value] of form) text += `${name}=${encodeURIComponent(value)}&`;
    return `${text}db=${encodeURIComponent(this.#options.db)}`;
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
