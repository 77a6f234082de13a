import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { gunzipSync, constants } from 'node:zlib';
import type { QueryAnswer } from '../backend/influxdb.ts';
import { errorTextOf } from '../backend/outcome.ts';
import { goJson } from '../core/go-json.ts';
import type { Clock } from '../core/time.ts';
import { ClientGone } from './failure.ts';
import type { Replica } from './replica.ts';

/** A question as one replica gets it. */
export interface Question {
  readonly parameters: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /** A replica without its database would answer it as one without data. */
  readonly hidesMissingDatabase: boolean;
}

/** What a replica answered, as far as it is there. */
export interface Reading {
  readonly status: number;
  readonly headers: QueryAnswer['headers'];
  /** The body from its first byte, once; it must be iterated, to its end or not. Undefined: it is empty. */
  readonly chunks: AsyncGenerator<Buffer, void, undefined> | undefined;
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
  async ask(replica: Replica, question: Question): Promise<Reading> {
    const controller = new AbortController();
    const give = this.#take(replica, question, controller);
    const forget = this.#onDown(replica, () => {
      controller.abort(new Error('it is down'));
    });
    try {
      const { parameters, headers } = question;
      const answer = await replica.query(parameters, headers, controller.signal);
      const { body } = answer;
      // It may break between here and whoever reads it next, who finds it destroyed; nobody may die of it.
      body.on('error', () => undefined);
      await assertUsable(answer);
      const beginning = await beginningOf(body);
      const said = answer.statusCode === 200 ? readable(answer, beginning) : undefined;
      if (said !== undefined) await this.#assertDatabase(replica, question, said);
      const reading = { status: answer.statusCode, headers: answer.headers };
      if (beginning.length === 0) {
        give();
        return { ...reading, chunks: undefined };
      }
      body.once('close', give);
      return { ...reading, chunks: chunksOf(beginning, body) };
    } catch (error) {
      give();
      if (controller.signal.aborted) throw controller.signal.reason;
      controller.abort(); // whatever is left of the answer
      throw error;
    } finally {
      forget();
    }
  }

  /** A database that somebody dropped, or nobody created, holds nothing: not the same as a query that finds nothing. */
  async #assertDatabase(replica: Replica, question: Question, said: Beginning): Promise<void> {
    const missing = `database not found: ${replica.db}`;
    if (said.text.startsWith(`${BEFORE_ERROR}${goJson(missing).slice(0, -1)}`))
      throw new Error(missing);
    if (said.isMsgpack && said.text.includes(missing)) throw new Error(missing);
    const isVacant = said.text === '' || VACANT.some((vacant) => said.text.includes(vacant));
    if (!isVacant || !(question.hidesMissingDatabase || said.text === '')) return;
    const parameters = new URLSearchParams({ q: 'SHOW RETENTION POLICIES' });
    const probe = { ...question, parameters, headers: {}, hidesMissingDatabase: false };
    await textOfChunks(await this.ask(replica, probe));
  }

  /** Calls `giveUp` when the replica goes down, or soon if it is down already, until the returned function is called. */
  #onDown({ downSignal }: Replica, giveUp: () => void): () => void {
    if (downSignal.aborted) return this.#clock.after(DOWN_PATIENCE_MS, giveUp);
    downSignal.addEventListener('abort', giveUp, { once: true });
    return () => {
      downSignal.removeEventListener('abort', giveUp);
    };
  }

  /** Counts the question, and aborts it at its time limit or when nobody wants the answer, until the returned function is called. */
  #take(replica: Replica, { signal }: Question, controller: AbortController): () => void {
    const onGone = (): void => {
      controller.abort(new ClientGone('the client has gone'));
    };
    if (signal.aborted) onGone();
    signal.addEventListener('abort', onGone, { once: true });
    const cancel = this.#clock.after(replica.timeoutQuery, () => {
      controller.abort(new Error(`no complete answer within ${replica.timeoutQuery} ms`));
    });
    this.#busy.set(replica, this.busyOf(replica) + 1);
    return () => {
      signal.removeEventListener('abort', onGone);
      cancel();
      this.#busy.set(replica, this.busyOf(replica) - 1);
    };
  }
}

async function assertUsable({ statusCode, body }: QueryAnswer): Promise<void> {
  if (statusCode < 500 && !FAILED_STATUSES.has(statusCode)) return;
  const text = errorTextOf(await body.text());
  throw new Error(text === '' ? `status ${statusCode}` : `status ${statusCode}: ${text}`);
}

/** What is there first. Empty: the body is. Rejects when it breaks before it has given a byte. */
async function beginningOf(body: Readable): Promise<Buffer> {
  for (;;) {
    const beginning = body.read() as Buffer | null;
    if (beginning !== null) return beginning;
    if (body.readableEnded) return NOTHING;
    const settled = new AbortController();
    const { signal } = settled;
    await Promise.race(['readable', 'end'].map((event) => once(body, event, { signal })));
    settled.abort();
  }
}

async function* chunksOf(
  beginning: Buffer,
  rest: Readable,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield beginning;
    yield* rest as AsyncIterable<Buffer>;
  } finally {
    rest.destroy();
  }
}

export async function textOfChunks({ chunks = none() }: Reading): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString('utf8');
}

async function* none(): AsyncGenerator<Buffer, void, undefined> {
  // Nothing to give.
}

interface Beginning {
  readonly text: string;
  readonly isMsgpack: boolean;
}

const NOTHING = Buffer.alloc(0);

/** Bytes; errors and empty results are shorter, compressed or not. */
const MAX_JUDGED_BYTES = 1024;
const BEFORE_ERROR = '{"results":[{"statement_id":0,"error":';
/** How a server says that there is nothing: no series, or none counted. */
const VACANT = ['"statement_id":0}]', '"columns":["cardinality estimation"],"values":[[0]]'];

/** What a short answer says; undefined for a longer one, which holds data. */
function readable({ headers }: QueryAnswer, beginning: Buffer): Beginning | undefined {
  if (beginning.length > MAX_JUDGED_BYTES) return undefined;
  const isMsgpack = headers['content-type']?.toString().includes('msgpack') === true;
  const isPacked = headers['content-encoding'] !== undefined;
  const text = isPacked ? inflated(beginning) : beginning.toString('utf8');
  return { text: text.replaceAll(/\s*\n\s*/g, '').replaceAll('": ', '":'), isMsgpack };
}

/** As much as the bytes tell; they may be cut anywhere. */
function inflated(bytes: Buffer): string {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('utf8');
  } catch {
    return '';
  }
}
