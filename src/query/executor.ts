import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { QueryAnswer } from '../backend/influxdb.ts';
import { errorTextOf } from '../backend/outcome.ts';
import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import { readOrder, type Replica } from './replica.ts';

/** What a backend answered; `body` is a stream of which the first bytes are there, and that nobody has read from yet. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
  /** Of an answer that is not a 2xx: InfluxDB's error once more, as a header. */
  readonly errorHeader: string | undefined;
  readonly body: Readable | Buffer;
}

export interface Request {
  /** The parameters for a backend whose database has this name. */
  readonly parametersFor: (db: string) => URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface ExecutorDeps {
  readonly zone: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** The client has gone: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Answers that say something about the backend or the proxy, not about the query: another replica is asked. */
const FAILED_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 408, 429]);

/** Milliseconds that a server gets of which health checks say that it is down: they may be late, but not by much. */
const DOWN_PATIENCE_MS = 2000;

const NOTHING = Buffer.alloc(0);
const JSON_TYPE = 'application/json';

/** Has a statement answered by one replica of a route. */
export class Executor {
  // Answers under way, by replica.
  readonly #busy = new Map<Replica, number>();
  readonly #deps: ExecutorDeps;

  constructor(deps: ExecutorDeps) {
    this.#deps = deps;
  }

  /**
   * The first replica that answers, in read order; each failure before the first byte of the body moves on to the next.
   * Rejects with REPLICAS_UNAVAILABLE when none does, or with ClientGone.
   */
  async read(replicas: readonly Replica[], request: Request): Promise<Answer> {
    const failures: string[] = [];
    for (const replica of readOrder(replicas, this.#deps.zone, (one) => this.#busyOf(one))) {
      try {
        return await this.#ask(replica, request);
      } catch (error) {
        if (request.signal.aborted) throw new ClientGone('the client has gone', { cause: error });
        const reason = codeOf(error) ?? messageOf(error);
        this.#deps.log.warn({ backend: replica.name, reason }, 'query failed over');
        failures.push(`${replica.name}: ${reason}`);
      }
    }
    const why = failures.length === 0 ? 'none may be read from' : failures.join('; ');
    throw new ProxyError('REPLICAS_UNAVAILABLE', `no replica can answer the query: ${why}`);
  }

  /** Resolves when the first bytes of a usable answer are there. */
  async #ask(replica: Replica, request: Request): Promise<Answer> {
    const controller = new AbortController();
    const give = this.#take(replica, request, controller);
    const forget = this.#onDown(replica, () => {
      controller.abort(new Error('it is down'));
    });
    try {
      const parameters = request.parametersFor(replica.db);
      const answer = await replica.query(parameters, request.headers, controller.signal);
      // It may break between here and whoever reads it next, who finds it destroyed; nobody may die of it.
      answer.body.on('error', () => undefined);
      await assertUsable(answer);
      if (!(await firstBytes(answer.body))) {
        answer.body.resume();
        give();
        return answerOf(answer, NOTHING);
      }
      answer.body.once('close', give);
      return answerOf(answer, answer.body);
    } catch (error) {
      give();
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      forget();
    }
  }

  /** Calls `giveUp` when the replica goes down, or soon if it is down already, until the returned function is called. */
  #onDown({ downSignal }: Replica, giveUp: () => void): () => void {
    if (downSignal.aborted) return this.#deps.clock.after(DOWN_PATIENCE_MS, giveUp);
    downSignal.addEventListener('abort', giveUp, { once: true });
    return () => {
      downSignal.removeEventListener('abort', giveUp);
    };
  }

  /** Counts the query, and aborts it at its time limit or when the client goes, until the returned function is called. */
  #take(replica: Replica, { signal }: Request, controller: AbortController): () => void {
    const onGone = (): void => {
      controller.abort(new ClientGone('the client has gone'));
    };
    if (signal.aborted) onGone();
    signal.addEventListener('abort', onGone, { once: true });
    const cancel = this.#deps.clock.after(replica.timeoutQuery, () => {
      controller.abort(new Error(`no complete answer within ${replica.timeoutQuery} ms`));
    });
    this.#busy.set(replica, this.#busyOf(replica) + 1);
    return () => {
      signal.removeEventListener('abort', onGone);
      cancel();
      this.#busy.set(replica, this.#busyOf(replica) - 1);
    };
  }

  #busyOf(replica: Replica): number {
    return this.#busy.get(replica) ?? 0;
  }
}

async function assertUsable({ statusCode, body }: QueryAnswer): Promise<void> {
  if (statusCode < 500 && !FAILED_STATUSES.has(statusCode)) return;
  const text = errorTextOf(await body.text());
  throw new Error(text === '' ? `status ${statusCode}` : `status ${statusCode}: ${text}`);
}

/** False: the body is empty, as InfluxDB's CSV of an error is. Rejects when it breaks before it has given a byte. */
async function firstBytes(body: Readable): Promise<boolean> {
  if (body.readableLength > 0) return true;
  const settled = new AbortController();
  const { signal } = settled;
  // A body that has ended before anybody listens ends without being readable.
  await Promise.race(['readable', 'end'].map((event) => once(body, event, { signal })));
  settled.abort();
  return body.readableLength > 0;
}

function answerOf({ statusCode, headers }: QueryAnswer, body: Answer['body']): Answer {
  return {
    status: statusCode,
    contentType: headers['content-type']?.toString() ?? JSON_TYPE,
    contentEncoding: headers['content-encoding']?.toString(),
    errorHeader: headers['x-influxdb-error']?.toString(),
    body,
  };
}
