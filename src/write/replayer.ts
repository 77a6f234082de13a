import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Outcome } from '../backend/outcome.ts';
import { invariant, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { Spill } from '../spill/spill.ts';
import type { StoredRecord } from '../spill/stored-record.ts';
import { type Failure, findRefused, type Found, type Rejection } from './refusals.ts';
import type { RefusedPoints } from './refused-points.ts';
import type { Requests } from './requests.ts';

const inflate = promisify(gunzip);

/** Compressed bytes that are read at once: a request of so many costs little beside its lines, and little memory. */
const MAX_STEP_BYTES = 2 * 1024 * 1024;

/** The same inflated: lines that repeat themselves may be a thousand times longer. */
const MAX_STEP_INFLATED_BYTES = 16 * 1024 * 1024;

/**
 * Refusals that the search for refused lines may meet, some 4 ms each on influxd: a backlog of nothing but faults drains
 * about as fast as their clients can send it.
 */
const MAX_REFUSALS = 100;

export interface ReplayerOptions {
  /** Of the backend. */
  readonly name: string;
  /**
   * Points that the first request may carry, and lines that refused ones are searched among. A record that holds more goes
   * alone.
   */
  readonly maxRowLimit: number;
  readonly gzip: boolean;
  /** A backend that answers within half of it, milliseconds, gets more in one request. */
  readonly spillAfter: number;
}

export interface ReplayerDeps extends Requests {
  readonly spill: Spill;
  readonly refusedPoints: RefusedPoints;
  readonly clock: Clock;
  readonly log: Log;
}

/** `bytes`: of the records' payloads; none if all of what was sent has to be sent in smaller pieces. */
export interface Moved {
  readonly kind: 'moved';
  readonly bytes: number;
}

/** `idle`: nothing is on disk yet that could be sent. */
export type Step = Moved | { readonly kind: 'idle' } | Failure;

/** Delivers the spill of one backend, oldest record first, one request at a time: looks, sends, then acknowledges. */
export class Replayer {
  // Not acknowledged yet: sent, or answered with a 204 by the live request that was open when they were spilled.
  readonly #delivered = new Set<number>();
  // Of one request. The points follow what the backend can do; bytes that were too many stay so.
  #maxPoints: number;
  #maxBytes = MAX_STEP_BYTES;
  // What follows the records of the last step, if it was read already. All of those are acknowledged.
  #ahead: readonly StoredRecord[] = [];
  // The acknowledgement of the last step.
  #saving: Promise<void> = Promise.resolve();
  readonly #options: ReplayerOptions;
  readonly #deps: ReplayerDeps;

  constructor(options: ReplayerOptions, deps: ReplayerDeps) {
    this.#maxPoints = options.maxRowLimit;
    this.#options = options;
    this.#deps = deps;
  }

  /** The record needs no sending any more. Forgotten by a crash: then it is sent again, before all that is newer. */
  markDelivered(sequence: number): void {
    this.#delivered.add(sequence);
  }

  /**
   * Moves the spill on by a statement, or by some batches, as far as there is no `stop`. A disk that fails is a failed
   * step.
   */
  async step(stop: AbortSignal): Promise<Step> {
    try {
      return await this.#step(stop);
    } catch (error) {
      if (error instanceof ProxyError) return { kind: 'failed', reason: error.message };
      throw error;
    }
  }

  async #step(stop: AbortSignal): Promise<Step> {
    const head = headOf(await this.#next());
    const last = head.at(-1);
    if (last === undefined) return { kind: 'idle' };
    const reading = this.#readBehind(last);
    const failure = await this.#deliver(head, stop);
    const done = this.#doneOf(head);
    const ahead = done.length === head.length ? await reading : [];
    await this.#acknowledge(done);
    // Else the cursor is saved while the next ones are on their way.
    if (ahead.length === 0) await this.#takeSaving();
    this.#ahead = ahead;
    return failure ?? { kind: 'moved', bytes: totalsOf(done).bytes };
  }

  async #next(): Promise<readonly StoredRecord[]> {
    const ahead = this.#ahead;
    this.#ahead = [];
    return ahead.length > 0 ? ahead : this.#deps.spill.peek(MAX_STEP_BYTES);
  }

  /** Nothing when little is left: by the time of the next step that may have become more. */
  async #readBehind(last: StoredRecord): Promise<readonly StoredRecord[]> {
    const { spill } = this.#deps;
    if (spill.backlog.bytes < 2 * MAX_STEP_BYTES) return [];
    return spill.peekBehind(last, MAX_STEP_BYTES).catch(() => []);
  }

  async #deliver(head: readonly StoredRecord[], stop: AbortSignal): Promise<Failure | undefined> {
    const due = head.filter(({ sequence }) => !this.#delivered.has(sequence));
    const [first] = due;
    if (first?.kind === 'statement') return this.#runStatement(first);
    for (let at = 0; at < due.length && !stop.aborted;) {
      const group = this.#joinable(due, at);
      const failure = await this.#judge(group, await this.#send(group));
      if (failure !== undefined) return failure;
      if (group.every(({ sequence }) => this.#delivered.has(sequence))) at += group.length;
    }
    return undefined;
  }

  /** Its client has its answer by now, so that a refusal is for the operator to see. */
  async #runStatement(record: StoredRecord): Promise<Failure | undefined> {
    const form = record.payload.toString();
    const outcome = await this.#deps.execute(form);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'refused') {
      const { name: backend } = this.#options;
      const statement = new URLSearchParams(form).get('q');
      const answer = outcome.body.trim();
      this.#deps.log.error({ backend, statement, answer }, 'statement refused in replay');
    }
    this.#delivered.add(record.sequence);
    return undefined;
  }

  /** From the record at `start` on, as many as may share one request with it. */
  #joinable(batches: readonly StoredRecord[], start: number): readonly StoredRecord[] {
    const [first, ...others] = batches.slice(start);
    invariant(first !== undefined, 'something is to be sent');
    const group = [first];
    let { points } = first;
    let bytes = first.payload.length;
    for (const next of others) {
      points += next.points;
      bytes += next.payload.length;
      if (points > this.#maxPoints || bytes > this.#maxBytes) break;
      if (next.rp !== first.rp || next.precision !== first.precision) break;
      group.push(next);
    }
    return group;
  }

  /** Marks what is delivered by this answer. Neither that nor a failure: the records go again, fewer at a time. */
  async #judge(group: readonly StoredRecord[], outcome: Outcome): Promise<Failure | undefined> {
    if (outcome.kind === 'stored') {
      this.#markAll(group);
      return undefined;
    }
    const { points, bytes } = totalsOf(group);
    if (outcome.kind === 'failed') {
      this.#shrink(points);
      return outcome;
    }
    const isTooLarge = outcome.kind === 'too large';
    if (group.length > 1 && (isTooLarge || points > this.#options.maxRowLimit)) {
      this.#shrink(points);
      if (isTooLarge) this.#maxBytes = bytes >> 1;
      return undefined;
    }
    return this.#searchRefused(group, outcome);
  }

  /**
   * Finds the refused lines, keeps them, and lets the others pass. Records with more faults than can be told apart are
   * first cut off from those of other clients; then all that is left of such a record counts as refused.
   */
  async #searchRefused(
    group: readonly StoredRecord[],
    answer: Rejection,
  ): Promise<Failure | undefined> {
    const [first] = group;
    invariant(first !== undefined, 'something was refused');
    const lines = await inflate(joined(group));
    const send = (payload: Buffer): Promise<Outcome> =>
      this.#deps.send({ ...first, payload, gzipped: false });
    const search = await findRefused(lines, answer, { send, maxRefusals: MAX_REFUSALS });
    if (search.kind === 'failed') return search;
    if (!search.isExact && group.length > 1) {
      this.#shrink(totalsOf(group).points);
      return undefined;
    }
    await this.#keep(first, search);
    this.#markAll(group);
    return undefined;
  }

  async #keep(record: StoredRecord, { refused, expired, isExact }: Found): Promise<void> {
    const points = await this.#deps.refusedPoints.keep(refused, record);
    if (expired + points === 0) return;
    const { name: backend } = this.#options;
    const found = { backend, refused: points, expired, isExact };
    this.#deps.log.warn(found, 'points refused in replay');
  }

  /** The next request may carry twice as much as one that was answered soon. */
  async #send(group: readonly StoredRecord[]): Promise<Outcome> {
    const [first] = group;
    invariant(first !== undefined, 'a request carries at least one record');
    const { gzip, spillAfter } = this.#options;
    const { clock, send } = this.#deps;
    const { rp, precision } = first;
    const payload = gzip ? joined(group) : await inflate(joined(group));
    const start = clock.monotonic();
    const outcome = await send({ rp, precision, payload, gzipped: gzip });
    if (outcome.kind === 'stored' && clock.monotonic() - start <= spillAfter / 2) {
      this.#maxPoints = Math.max(this.#maxPoints, 2 * totalsOf(group).points);
    }
    return outcome;
  }

  #shrink(points: number): void {
    this.#maxPoints = Math.min(this.#maxPoints, points >> 1);
  }

  #markAll(records: readonly StoredRecord[]): void {
    for (const { sequence } of records) this.#delivered.add(sequence);
  }

  /** As many of the oldest as are delivered. */
  #doneOf(head: readonly StoredRecord[]): readonly StoredRecord[] {
    const end = head.findIndex(({ sequence }) => !this.#delivered.has(sequence));
    return end === -1 ? head : head.slice(0, end);
  }

  async #acknowledge(done: readonly StoredRecord[]): Promise<void> {
    await this.#takeSaving();
    const last = done.at(-1);
    if (last === undefined) return;
    // Not shown again, even if the cursor cannot be saved.
    for (const { sequence } of done) this.#delivered.delete(sequence);
    this.#saving = this.#deps.spill.ack(last);
    this.#saving.catch(() => undefined);
  }

  /** Rejects if the cursor could not be saved, once. */
  #takeSaving(): Promise<void> {
    const saving = this.#saving;
    this.#saving = Promise.resolve();
    return saving;
  }
}

/** What one step is about: a statement, or the batches before the next one, within the limit. */
function headOf(records: readonly StoredRecord[]): readonly StoredRecord[] {
  let bytes = 0;
  const end = records.findIndex((record, index) => {
    bytes += inflatedBytesOf(record);
    const isApart = record.kind === 'statement' || records[0]?.kind === 'statement';
    return index > 0 && (isApart || bytes > MAX_STEP_INFLATED_BYTES);
  });
  return end === -1 ? records : records.slice(0, end);
}

function totalsOf(records: readonly StoredRecord[]): { points: number; bytes: number } {
  let [points, bytes] = [0, 0];
  for (const record of records) {
    points += record.points;
    bytes += record.payload.length;
  }
  return { points, bytes };
}

/** One gzip body: members can stand one behind the other. */
function joined(records: readonly StoredRecord[]): Buffer {
  return Buffer.concat(records.map(({ payload }) => payload));
}

/** How each of the members begins that a spill holds: gzip, deflate, no optional parts. */
const MEMBER_START = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
const SIZE_BYTES = 4;

/**
 * A gzip member ends with the size of what is in it, 32 bits, little-endian (RFC 1952). Too much, never too little, when data
 * merely looks like the start of one more member.
 */
function inflatedBytesOf({ kind, payload }: StoredRecord): number {
  if (kind !== 'batch') return payload.length;
  let bytes = payload.readUInt32LE(payload.length - SIZE_BYTES);
  const next = (from: number): number => payload.indexOf(MEMBER_START, from);
  for (let at = next(SIZE_BYTES); at !== -1; at = next(at + 1)) {
    bytes += payload.readUInt32LE(at - SIZE_BYTES);
  }
  return bytes;
}
