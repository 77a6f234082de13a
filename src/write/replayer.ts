import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome, StatementOutcome } from '../backend/outcome.ts';
import { invariant, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { DeadLetter } from '../spill/dead-letter.ts';
import type { Spill, StoredRecord } from '../spill/spill.ts';
import { deadPointsOf } from './dead-points.ts';
import { type Failure, findRefused, type Found, type Rejection } from './refusals.ts';

const inflate = promisify(gunzip);

/** Compressed bytes that one replay request may carry: few round trips, yet small beside the memory budget. */
const MAX_REPLAY_BYTES = 1024 * 1024;

/** The same inflated: lines that repeat themselves may be a thousand times longer. */
const MAX_REPLAY_INFLATED_BYTES = 16 * 1024 * 1024;

/**
 * Refusals that the search for refused lines may meet, some 4 ms each on influxd: a backlog of nothing but faults drains
 * about as fast as their clients can send it.
 */
const MAX_REFUSALS = 100;

export interface ReplayerOptions {
  /** Of the backend. */
  readonly name: string;
  /** Points that one request may carry; a record that holds more goes alone. */
  readonly maxRowLimit: number;
  readonly gzip: boolean;
}

export interface ReplayerDeps {
  readonly spill: Spill;
  readonly deadLetter: DeadLetter;
  readonly send: (body: WriteBody) => Promise<Outcome>;
  readonly execute: (form: string) => Promise<StatementOutcome>;
  readonly clock: Clock;
  readonly log: Log;
}

/** `idle`: nothing is on disk yet that could be sent. */
export type Step = { readonly kind: 'moved' } | { readonly kind: 'idle' } | Failure;

const MOVED: Step = { kind: 'moved' };

/** Delivers the spill of one backend, oldest record first. Looks, sends, then acknowledges: none is skipped. */
export class Replayer {
  // Records whose live request, still open when they were spilled, turned out to be answered with a 204.
  readonly #delivered = new Set<number>();
  // Records that may share a request: fewer after a search that was too long, twice as many after each delivery.
  #maxRecords = Infinity;
  readonly #options: ReplayerOptions;
  readonly #deps: ReplayerDeps;

  constructor(options: ReplayerOptions, deps: ReplayerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The record needs no sending any more. Forgotten by a crash: then it is sent again, before all that is newer. */
  markDelivered(sequence: number): void {
    this.#delivered.add(sequence);
  }

  /** Moves the spill on by one request, or by a record that needs none. A disk that fails is a failed step. */
  async step(): Promise<Step> {
    try {
      return await this.#step();
    } catch (error) {
      if (error instanceof ProxyError) return { kind: 'failed', reason: error.message };
      throw error;
    }
  }

  async #step(): Promise<Step> {
    const records = await this.#deps.spill.peek(MAX_REPLAY_BYTES);
    const [first] = records;
    if (first === undefined) return { kind: 'idle' };
    if (this.#delivered.has(first.sequence)) {
      await this.#acknowledge([first]);
      return MOVED;
    }
    if (first.kind === 'statement') return this.#runStatement(first);
    const group = this.#joinable(records);
    const outcome = await this.#send(group);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind !== 'stored') return this.#searchRefused(group, outcome);
    await this.#acknowledge(group);
    return MOVED;
  }

  /** Its client has its answer by now, so that a refusal is for the operator to see. */
  async #runStatement(record: StoredRecord): Promise<Step> {
    const form = record.payload.toString();
    const outcome = await this.#deps.execute(form);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'refused') {
      const { name: backend } = this.#options;
      const statement = new URLSearchParams(form).get('q');
      const answer = outcome.body.trim();
      this.#deps.log.error({ backend, statement, answer }, 'statement refused in replay');
    }
    await this.#acknowledge([record]);
    return MOVED;
  }

  /** The longest head of the records that may share one request: same target, none delivered, within all limits. */
  #joinable(records: readonly StoredRecord[]): readonly StoredRecord[] {
    const [first] = records;
    let points = 0;
    let bytes = 0;
    const end = records.findIndex((record, index) => {
      points += record.points;
      bytes += inflatedBytesOf(record);
      return (
        record !== first &&
        (index >= this.#maxRecords ||
          points > this.#options.maxRowLimit ||
          bytes > MAX_REPLAY_INFLATED_BYTES ||
          record.kind !== first?.kind ||
          record.rp !== first.rp ||
          record.precision !== first.precision ||
          this.#delivered.has(record.sequence))
      );
    });
    return end === -1 ? records : records.slice(0, end);
  }

  /**
   * Finds the refused lines, keeps them, and lets the others pass. Records with more faults than can be told apart are
   * first cut off from those of other clients; then all that is left of such a record counts as refused.
   */
  async #searchRefused(group: readonly StoredRecord[], answer: Rejection): Promise<Step> {
    const [first] = group;
    invariant(first !== undefined, 'something was refused');
    const lines = await inflate(joined(group));
    const send = (payload: Buffer): Promise<Outcome> =>
      this.#deps.send({ ...first, payload, gzipped: false });
    const search = await findRefused(lines, answer, { send, maxRefusals: MAX_REFUSALS });
    if (search.kind === 'failed') return search;
    if (!search.isExact && group.length > 1) {
      this.#maxRecords = group.length >> 1;
      return MOVED;
    }
    await this.#keep(first, search);
    await this.#acknowledge(group);
    return MOVED;
  }

  async #keep(record: StoredRecord, { refused, expired, isExact }: Found): Promise<void> {
    const context = { ...record, timeMs: this.#deps.clock.now() };
    const points = refused.flatMap((lines) => deadPointsOf(lines, context));
    if (points.length > 0) await this.#deps.deadLetter.append(points);
    if (expired + points.length === 0) return;
    const { name: backend } = this.#options;
    const found = { backend, refused: points.length, expired, isExact };
    this.#deps.log.warn(found, 'points refused in replay');
  }

  async #send(records: readonly StoredRecord[]): Promise<Outcome> {
    const [first] = records;
    invariant(first !== undefined, 'a request carries at least one record');
    const { gzip } = this.#options;
    return this.#deps.send({
      rp: first.rp,
      precision: first.precision,
      payload: gzip ? joined(records) : await inflate(joined(records)),
      gzipped: gzip,
    });
  }

  async #acknowledge(records: readonly StoredRecord[]): Promise<void> {
    const last = records.at(-1);
    if (last === undefined) return;
    await this.#deps.spill.ack(last);
    this.#maxRecords *= 2;
    for (const { sequence } of records) this.#delivered.delete(sequence);
  }
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
