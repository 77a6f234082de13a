import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome } from '../backend/outcome.ts';
import type { Health } from '../backend/health.ts';
import type { Budget } from '../core/budget.ts';
import { InOrder } from '../core/in-order.ts';
import type { Log } from '../core/log.ts';
import { Tally } from '../core/tally.ts';
import { backoffMs, type Clock } from '../core/time.ts';
import type { DeadLetter } from '../spill/dead-letter.ts';
import type { Spill } from '../spill/spill.ts';
import type { Totals } from '../spill/totals.ts';
import { type Batch, targetKey, type WriteTarget } from './batch.ts';
import type { Destination } from './coalescer.ts';
import { Consignment } from './consignment.ts';
import { deadPointsOf } from './dead-points.ts';
import { Lane } from './lane.ts';
import { type Failure, isRejection, judge, type Rejection } from './refusals.ts';
import { Replayer } from './replayer.ts';
import { type RefusedLines, SPILLED, STORED, type Verdict } from './verdict.ts';

/** A slice of a backend's configuration; times are milliseconds. */
export interface SenderOptions {
  readonly name: string;
  readonly db: string;
  readonly gzip: boolean;
  readonly maxRowLimit: number;
  readonly interval: number;
  readonly spillAfter: number;
  readonly rewriteInterval: number;
}

export interface SenderDeps {
  readonly send: (body: WriteBody) => Promise<Outcome>;
  readonly health: Health;
  readonly spill: Spill;
  readonly deadLetter: DeadLetter;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

/** Bytes of lines that may wait in memory for a slow backend; beyond it they wait on disk. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/** The first pause between replay attempts; it doubles up to `rewriteInterval`. */
const MIN_REPLAY_PAUSE_MS = 100;

/**
 * Brings batches to one backend in order. Live, each write target has one request under way. When a request fails or is
 * slower than `spillAfter`, the backend is catching up: what was not answered goes to the spill, everything newer behind
 * it, and no live request is started. Replay begins when the open requests have ended, so nothing older can overtake;
 * the backend is live again in the very moment in which the spill is empty and its cursor durable.
 */
export class Sender implements Destination {
  #phase: 'live' | 'catching up';
  #queuedBytes = 0;
  #held: Tally | undefined;
  readonly #lanes = new Map<string, Lane>();
  // Requests that have no outcome yet; while there are any, nothing is replayed.
  readonly #open = new Tally();
  readonly #appends = new InOrder();
  // Settles when the newest record is on disk, or could not be put there.
  #lastAppend: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  readonly #replayer: Replayer;
  #replaying: Promise<void> = Promise.resolve();
  readonly #options: SenderOptions;
  readonly #deps: SenderDeps;

  constructor(options: SenderOptions, deps: SenderDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#replayer = new Replayer(options, deps);
    this.#phase = deps.spill.isEmpty ? 'live' : 'catching up';
  }

  get name(): string {
    return this.#options.name;
  }

  /** Points in one request. */
  get maxRowLimit(): number {
    return this.#options.maxRowLimit;
  }

  /** The longest time that points may gather, milliseconds. */
  get interval(): number {
    return this.#options.interval;
  }

  /** What is in the spill and not delivered yet. */
  get backlog(): Totals {
    return this.#deps.spill.backlog;
  }

  /** Room in the spill, for a batch that will be delivered or released. */
  tryReserve(bytes: number): boolean {
    return this.#deps.spill.tryReserve(bytes);
  }

  release(bytes: number): void {
    this.#deps.spill.release(bytes);
  }

  /** Every acknowledged point is at the backend. */
  get isComplete(): boolean {
    return this.#phase === 'live';
  }

  /** Takes up a backlog that an earlier process left. */
  start(): void {
    if (this.#phase === 'catching up') this.#replaying = this.#replay();
  }

  deliver(batch: Batch): Promise<readonly Verdict[]> {
    const consignment = new Consignment(batch);
    this.#account(consignment);
    if (this.#phase === 'live') {
      if (this.#deps.health.isDown) this.#catchUp('down');
      else if (this.#queuedBytes - batch.bytes > MAX_QUEUED_BYTES) this.#catchUp('queue full');
    }
    if (this.#phase === 'live') this.#enqueue(consignment);
    else this.#spill(consignment);
    return consignment.verdicts;
  }

  /**
   * Keeps live requests from starting, waits for those under way, and then, if the backend is complete and up, returns
   * the function that lets them go on. Undefined: it is not, and nothing is held.
   */
  async hold(): Promise<(() => void) | undefined> {
    if (!this.#isReadable()) return undefined;
    while (this.#held !== undefined) await this.#held.whenZero();
    const held = new Tally();
    held.start();
    this.#held = held;
    const release = (): void => {
      this.#held = undefined;
      held.finish();
    };
    await this.#open.whenZero();
    if (!this.#isReadable()) {
      release();
      return undefined;
    }
    this.#open.start();
    return () => {
      this.#open.finish();
      release();
    };
  }

  /** Keeps lines that this backend refused while another one stored them, with the words of the refusal. */
  bury(target: WriteTarget, refused: readonly RefusedLines[]): Promise<void> {
    const { db } = this.#options;
    const context = { ...target, db, timeMs: this.#deps.clock.now() };
    return this.#deps.deadLetter.append(refused.flatMap((lines) => deadPointsOf(lines, context)));
  }

  /** Everything that is not answered goes to disk now, so that no client has to wait any longer. */
  surrender(): void {
    if (this.#lanes.size > 0) this.#catchUp('shutting down');
  }

  /** Ends the replay; what is not acknowledged is replayed by the next process. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#replaying;
  }

  #isReadable(): boolean {
    return this.isComplete && this.#deps.health.isUp;
  }

  /** A batch is in memory until it is settled and the request that carries it has ended. */
  #account(consignment: Consignment): void {
    const { bytes } = consignment.batch;
    this.#deps.budget.take(bytes);
    this.#queuedBytes += bytes;
    const letGo = async (): Promise<void> => {
      this.#queuedBytes -= bytes;
      await consignment.flight;
      this.#deps.budget.give(bytes);
    };
    consignment.verdicts.then(letGo, letGo);
  }

  #enqueue(consignment: Consignment): void {
    const { batch } = consignment;
    const waited = this.#deps.clock.now() - batch.arrivedAt;
    const patience = Math.max(0, this.#options.spillAfter - waited);
    consignment.cancelTimer = this.#deps.clock.after(patience, () => {
      this.#catchUp('slow');
    });
    const key = targetKey(batch.target);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) {
      lane.push(consignment);
      return;
    }
    const opened = new Lane();
    opened.push(consignment);
    this.#lanes.set(key, opened);
    void this.#run(key, opened);
  }

  /** Sends what the lane holds, request after request, and then forgets the lane. */
  async #run(key: string, lane: Lane): Promise<void> {
    while (!lane.isIdle) {
      while (this.#held !== undefined) await this.#held.whenZero();
      const group = lane.take(this.#options.maxRowLimit);
      if (group.length === 0) break;
      this.#open.start();
      const attempt = this.#attempt(group);
      for (const consignment of group) consignment.flight = attempt;
      await attempt;
      lane.finish();
      this.#open.finish();
    }
    this.#lanes.delete(key);
  }

  async #attempt(group: readonly Consignment[]): Promise<void> {
    const outcome = await this.#request(group);
    if (outcome.kind === 'stored') {
      await Promise.all(group.map((consignment) => this.#stored(consignment)));
    } else if (outcome.kind === 'failed') {
      this.#catchUp(outcome.reason);
    } else {
      await this.#judgeParts(group, outcome);
    }
  }

  async #request(group: readonly Consignment[]): Promise<Outcome> {
    const [first] = group;
    if (first === undefined) throw new Error('BUG: nothing to send');
    const bodies = this.#options.gzip
      ? await Promise.all(group.map(({ batch }) => batch.gzipped()))
      : group.map(({ batch }) => batch.plain());
    const payload =
      bodies.length === 1 && bodies[0] !== undefined ? bodies[0] : Buffer.concat(bodies);
    return this.#send({ ...first.batch.target, payload, gzipped: this.#options.gzip });
  }

  async #send(body: WriteBody): Promise<Outcome> {
    const outcome = await this.#deps.send(body);
    if (outcome.kind === 'failed') this.#deps.health.failed(outcome.reason);
    else this.#deps.health.answered();
    return outcome;
  }

  /** A 204. If the batch was spilled meanwhile, its record need not be sent again. */
  async #stored(consignment: Consignment): Promise<void> {
    if (consignment.record === undefined) {
      this.#deps.spill.release(consignment.batch.reservedBytes);
      consignment.settleAll(STORED);
      return;
    }
    const sequence = await consignment.record.catch(() => undefined);
    if (sequence !== undefined) this.#replayer.markDelivered(sequence);
  }

  /** Each part gets a request of its own, so that one client's bad line is nobody else's error. */
  async #judgeParts(group: readonly Consignment[], answer: Rejection): Promise<void> {
    const isLone = group.length === 1 && group[0]?.batch.parts.length === 1;
    for (const consignment of group) {
      const { target, parts, reservedBytes } = consignment.batch;
      const send = (payload: Buffer): Promise<Outcome> =>
        this.#send({ ...target, payload, gzipped: false });
      const verdicts: Verdict[] = [];
      for (const { payload } of parts) {
        // Spilled meanwhile: replay finds the refused lines and keeps them as dead letters.
        if (consignment.record !== undefined) break;
        const outcome = isLone ? answer : await send(payload);
        const verdict = isRejection(outcome) ? await judge(payload, outcome, send) : outcome;
        if (verdict.kind === 'failed') {
          this.#catchUp(verdict.reason);
          return;
        }
        verdicts.push(verdict);
      }
      if (consignment.record !== undefined) continue;
      this.#deps.spill.release(reservedBytes);
      consignment.settle(verdicts);
    }
  }

  /** From live to catching up: what has no outcome yet goes to the spill, in order. */
  #catchUp(reason: string): void {
    if (this.#phase === 'catching up') return;
    this.#phase = 'catching up';
    this.#deps.log.warn({ backend: this.name, reason }, 'backend is catching up');
    for (const lane of this.#lanes.values()) {
      for (const consignment of lane.surrender()) this.#spill(consignment);
    }
    this.#replaying = this.#replay();
  }

  #spill(consignment: Consignment): void {
    consignment.cancelTimer?.();
    const { batch } = consignment;
    consignment.record = this.#appends.run(batch.gzipped(), (payload) =>
      this.#deps.spill.append(
        { kind: 'batch', points: batch.points, db: this.#options.db, ...batch.target, payload },
        batch.reservedBytes,
      ),
    );
    this.#lastAppend = consignment.record.then(
      () => {
        consignment.settleAll(SPILLED);
      },
      (error: unknown) => {
        consignment.fail(error);
      },
    );
  }

  async #replay(): Promise<void> {
    let failures = 0;
    for (;;) {
      await this.#open.whenZero();
      if (this.#open.count > 0) continue;
      if (this.#stop.signal.aborted) return;
      if (this.#deps.spill.isEmpty && this.#appends.pending === 0) {
        // No await between the look and the change: no batch can come between.
        this.#phase = 'live';
        this.#deps.log.info({ backend: this.name }, 'backend is complete');
        return;
      }
      await this.#deps.health.whenUp(this.#options.rewriteInterval, this.#stop.signal);
      const step = await this.#replayer.step();
      if (step.kind === 'failed') await this.#pause(step, failures++);
      else failures = 0;
      if (step.kind === 'idle') await this.#lastAppend;
    }
  }

  async #pause(step: Failure, failures: number): Promise<void> {
    const { rewriteInterval } = this.#options;
    const backoff = { minDelayMs: MIN_REPLAY_PAUSE_MS, maxDelayMs: rewriteInterval };
    const delay = step.retryAfterMs ?? backoffMs(failures, backoff, this.#deps.random);
    this.#deps.log.warn({ backend: this.name, reason: step.reason, delay }, 'replay failed');
    await this.#deps.clock.sleep(delay, this.#stop.signal);
  }
}
