import { InfluxServer } from '../backend/influxdb.ts';
import type { BackendConfig } from '../config/schema.ts';
import type { Clock } from '../core/time.ts';
import { type DeadPoint, decodeDeadPoint, encodeDeadPoint } from '../spill/dead-point.ts';
import { type Resent, resend } from '../write/resend.ts';

/** Bytes of dead letters that are in memory at a time. */
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;

type Answered = Extract<Resent, { kind: 'answered' }>;

interface Entry {
  readonly point: DeadPoint;
  /** As it is in the file. */
  readonly line: Buffer;
}

/** Sends dead letters to their backend again, and tells which of them are to be kept. */
export class Retry {
  stored = 0;
  /** Not kept: older than what the backend's retention policy holds. */
  expired = 0;
  /** Kept, with the backend's new words. */
  refused = 0;
  /** Kept as they are, because the backend did not answer. */
  unsent = 0;
  /** Kept as they are, because they are no dead letters. */
  unreadable = 0;
  /** Why the backend did not answer; nothing is sent after that. */
  failure: string | undefined;
  readonly #backend: BackendConfig;
  readonly #clock: Clock;
  /** By database: a backend's may have been another one when the point was refused. */
  readonly #servers = new Map<string, InfluxServer>();

  constructor(backend: BackendConfig, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /** A `Rewrite` (dead-letter-files.ts): what is to be kept of the lines. */
  async *rewrite(lines: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    let window: Entry[] = [];
    let bytes = 0;
    for await (const line of lines) {
      const point = decodeDeadPoint(line.toString());
      if (point === undefined) {
        this.unreadable += 1;
        yield line;
        continue;
      }
      window.push({ point, line });
      bytes += line.length;
      if (window.length < this.#backend.maxRowLimit && bytes < MAX_WINDOW_BYTES) continue;
      yield* this.#retry(window);
      window = [];
      bytes = 0;
    }
    yield* this.#retry(window);
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) await server.close();
  }

  async *#retry(window: readonly Entry[]): AsyncIterable<Buffer> {
    for (const group of groupsOf(window)) {
      const answer = await this.#resend(group);
      if (answer === undefined) {
        this.unsent += group.length;
        for (const { line } of group) yield line;
      } else {
        const { refused, expired } = answer;
        this.refused += refused.length;
        this.expired += expired;
        this.stored += group.length - refused.length - expired;
        for (const point of refused) yield Buffer.from(encodeDeadPoint(point).trimEnd());
      }
    }
  }

  /** Undefined when it was not possible to find out. */
  async #resend(group: readonly Entry[]): Promise<Answered | undefined> {
    if (this.failure !== undefined) return undefined;
    const resent = await resend(
      group.map(({ point }) => point),
      { send: (db, body) => this.#serverOf(db).write(body), clock: this.#clock },
    );
    if (resent.kind === 'answered') return resent;
    this.failure = resent.reason;
    return undefined;
  }

  #serverOf(db: string): InfluxServer {
    const known = this.#servers.get(db);
    if (known !== undefined) return known;
    const server = new InfluxServer({ ...this.#backend, db }, this.#clock);
    this.#servers.set(db, server);
    return server;
  }
}

/** By what may share a request, in the order of each one's first entry. */
function groupsOf(window: readonly Entry[]): Iterable<readonly Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of window) {
    const { db, rp, precision } = entry.point;
    const key = JSON.stringify([db, rp, precision]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups.values();
}
