import { gunzipSync, constants } from 'node:zlib';
import type { QueryForm } from '../backend/influxdb.ts';
import { errorTextOf, SERVER_ERRORS } from '../backend/outcome.ts';
import type { QueryAnswer, QueryInFlight } from '../backend/query-in-flight.ts';
import { goJson } from '../core/go-json.ts';
import type { Signal } from '../core/signal.ts';
import type { Clock } from '../core/time.ts';
import { ClientGone } from './failure.ts';
import type { Replica } from './replica.ts';

/** A question as one replica gets it. */
export interface Question {
  readonly form: QueryForm;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when nobody wants the answer any more. */
  readonly signal: Signal;
  /** A replica without its database would answer it as one without data. */
  readonly hidesMissingDatabase: boolean;
}

/** Answers that say something about the backend or the proxy, not about the query: another replica is asked. */
const FAILED_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 408, 429]);

/** Milliseconds that a server gets of which health checks say that it is down: they may be late, but not by much. */
const DOWN_PATIENCE_MS = 2000;

/** Asks replicas, and knows how busy each is with it. */
export class Asker {
  // Answers under way, by replica.
  readonly #busy = new Map<Replica, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  busyOf(replica: Replica): number {
    return this.#busy.get(replica) ?? 0;
  }

  /**
   * Resolves when the first bytes of a usable answer are there, or it has ended without any. Rejects when the replica
   * fails, in any way that lets another one answer better, or with ClientGone. Bounded by the replica's `timeoutQuery`,
   * up to the end of the answer, which must be read or destroyed.
   */
  async ask(replica: Replica, question: Question): Promise<QueryAnswer> {
    const query = replica.query(question.form, question.headers);
    const give = this.#take(replica, question, query);
    const forget = this.#onDown(replica, () => {
      query.giveUp(new Error('it is down'));
    });
    try {
      const answer = await query.answer;
      const { status, body } = answer;
      if (Buffer.isBuffer(body)) give();
      else body.once('close', give);
      if (isFailure(status)) throw await failureOf(answer);
      if (mayMissDatabase(replica, question, answer)) await this.#assertDatabase(replica, question);
      return answer;
    } catch (error) {
      give();
      query.giveUp(UNUSABLE); // whatever is left of the answer
      throw error;
    } finally {
      forget();
    }
  }

  /** A database that somebody dropped, or nobody created, holds nothing: not the same as a query that finds nothing. */
  async #assertDatabase(replica: Replica, question: Question): Promise<void> {
    if (question.form === PROBE) throw new Error('the answer is empty');
    const probe = { ...question, form: PROBE, headers: {}, hidesMissingDatabase: false };
    await bodyText((await this.ask(replica, probe)).body);
  }

  /** Calls `giveUp` when the replica goes down, or soon if it is down already, until the returned function is called. */
  #onDown({ downSignal }: Replica, giveUp: () => void): () => void {
    if (downSignal.aborted) return this.#clock.after(DOWN_PATIENCE_MS, giveUp);
    return downSignal.onAbort(giveUp);
  }

  /** Counts the question, and gives it up at its time limit or when nobody wants the answer, until the returned function is called. */
  #take(replica: Replica, { signal }: Question, query: QueryInFlight): () => void {
    const forget = signal.onAbort(() => {
      query.giveUp(new ClientGone('the client has gone'));
    });
    const cancel = this.#clock.after(replica.timeoutQuery, () => {
      query.giveUp(new Error(`no complete answer within ${replica.timeoutQuery} ms`));
    });
    this.#busy.set(replica, this.busyOf(replica) + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      forget();
      cancel();
      this.#busy.set(replica, this.busyOf(replica) - 1);
    };
  }
}

/** What every database has an answer to. */
const PROBE: QueryForm = [['q', 'SHOW RETENTION POLICIES']];

const UNUSABLE = new Error('the answer is of no use');

function isFailure(status: number): boolean {
  return status >= 500 || FAILED_STATUSES.has(status);
}

async function failureOf({ status, body }: QueryAnswer): Promise<Error> {
  const text = errorTextOf(await bodyText(body));
  return new Error(text === '' ? `status ${status}` : `status ${status}: ${text}`);
}

/** Whether the answer says nothing, as it would without a database. Throws when it says something of the server instead. */
function mayMissDatabase(
  { db }: Replica,
  { hidesMissingDatabase }: Question,
  { status, headers, beginning }: QueryAnswer,
): boolean {
  if (status !== 200 || beginning.length > MAX_JUDGED_BYTES) return false;
  const text = readable(beginning, headers['content-encoding'] !== undefined);
  const isMsgpack = headers['content-type']?.includes('msgpack') === true;
  if (isMsgpack || text.startsWith(BEFORE_ERROR)) {
    const isTold = (error: string): boolean =>
      isMsgpack
        ? MSGPACK_BEFORE_ERROR.test(text.slice(0, Math.max(0, text.indexOf(error))))
        : text.startsWith(goJson(error).slice(0, -1), BEFORE_ERROR.length);
    const told = [`database not found: ${db}`, ...SERVER_ERRORS].find(isTold);
    if (told !== undefined) throw new Error(told);
  }
  return text === '' || (hidesMissingDatabase && VACANT.some((vacant) => text.includes(vacant)));
}

export async function bodyText(body: QueryAnswer['body']): Promise<string> {
  if (Buffer.isBuffer(body)) return body.toString('utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Bytes; errors and empty results are shorter, compressed or not. A longer answer holds data. */
const MAX_JUDGED_BYTES = 1024;
const BEFORE_ERROR = '{"results":[{"statement_id":0,"error":';
/** The key, then the type and length of a string, one to three bytes. */
const MSGPACK_BEFORE_ERROR = /error.{1,3}$/s;
/** How a server says that there is nothing: no series, or none counted. */
const VACANT = ['"statement_id":0}]', '"columns":["cardinality estimation"],"values":[[0]]'];

/** What a short answer says, without the layout of a pretty one. */
function readable(beginning: Buffer, isPacked: boolean): string {
  const text = isPacked ? inflated(beginning) : beginning.toString('utf8');
  const isPretty = text.startsWith('{\n');
  return isPretty ? text.replaceAll(/\s*\n\s*/g, '').replaceAll('": ', '":') : text;
}

/** As much as the bytes tell; they may be cut anywhere. */
function inflated(bytes: Buffer): string {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('utf8');
  } catch {
    return '';
  }
}
