import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome, StatementOutcome } from '../backend/outcome.ts';
import { ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { DeadLetter } from '../spill/dead-letter.ts';
import type { Spill, StoredRecord } from '../spill/spill.ts';
import { deadPointsOf } from './dead-points.ts';
import { type Failure, findRefused, type Found } from './refusals.ts';

const inflate = promisify(gunzip);

/** Compressed bytes that one replay request may carry: few round trips, yet small beside the memory budget. */
const MAX_REPLAY_BYTES = 1024 * 1024;

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
    if (outcome.kind === 'stored') {
      await this.#acknowledge(group);
      return MOVED;
    }
    return this.#searchRefused(group);
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

  /** The longest head of the records that may share one request: same target, none delivered, points within limit. */
  #joinable(records: readonly StoredRecord[]): readonly StoredRecord[] {
    const [first] = records;
    let points = 0;
    const end = records.findIndex((record) => {
      points += record.points;
      return (
        record !== first &&
        (points > this.#options.maxRowLimit ||
          record.kind !== first?.kind ||
          record.rp !== first.rp ||
          record.precision !== first.precision ||
          this.#delivered.has(record.sequence))
      );
    });
    return end === -1 ? records : records.slice(0, end);
  }

  /** Record by record, because only one may be at fault, then line by line. */
  async #searchRefused(group: readonly StoredRecord[]): Promise<Step> {
    for (const record of group) {
      const outcome = await this.#send([record]);
      if (outcome.kind === 'failed') return outcome;
      if (outcome.kind !== 'stored') {
        const lines = await inflate(record.payload);
        const send = (payload: Buffer): Promise<Outcome> =>
          this.#deps.send({ ...record, payload, gzipped: false });
        const search = await findRefused(lines, outcome, { send, maxRequests: Infinity });
        if (search.kind === 'failed') return search;
        await this.#keep(record, search);
      }
      await this.#acknowledge([record]);
    }
    return MOVED;
  }

  async #keep(record: StoredRecord, { refused, expired }: Found): Promise<void> {
    const context = { ...record, timeMs: this.#deps.clock.now() };
    const points = refused.flatMap((lines) => deadPointsOf(lines, context));
    if (points.length > 0) await this.#deps.deadLetter.append(points);
    if (expired + points.length === 0) return;
    const { name: backend } = this.#options;
    this.#deps.log.warn({ backend, refused: points.length, expired }, 'points refused in replay');
  }

  async #send(records: readonly StoredRecord[]): Promise<Outcome> {
    const [first] = records;
    if (first === undefined) throw new Error('BUG: nothing to send');
    const joined = Buffer.concat(records.map(({ payload }) => payload));
    const { gzip } = this.#options;
    return this.#deps.send({
      rp: first.rp,
      precision: first.precision,
      payload: gzip ? joined : await inflate(joined),
      gzipped: gzip,
    });
  }

  async #acknowledge(records: readonly StoredRecord[]): Promise<void> {
    const last = records.at(-1);
    if (last === undefined) return;
    await this.#deps.spill.ack(last);
    for (const { sequence } of records) this.#delivered.delete(sequence);
  }
}
