import type { Health } from '../backend/health.ts';
import type { StatementOutcome } from '../backend/outcome.ts';
import { InOrder } from '../core/in-order.ts';
import type { Log } from '../core/log.ts';
import { backoffMs, type Clock } from '../core/time.ts';
import type { DeadLetter } from '../spill/dead-letter.ts';
import type { FreeSpace } from '../spill/free-space.ts';
import type { Spill } from '../spill/spill.ts';
import type { Totals } from '../spill/totals.ts';
import type { Member } from './admission.ts';
import type { Batch } from './batch.ts';
import type { Delivery, Destination } from './coalescer.ts';
import type { Detachment } from './detachment.ts';
import { Lanes } from './lanes.ts';
import type { Failure } from './refusals.ts';
import { RefusedPoints } from './refused-points.ts';
import { type Moved, Replayer, type Step } from './replayer.ts';
import { reported, type Requests } from './requests.ts';
import { type AnyShipment, BatchShipment, StatementShipment } from './shipment.ts';
import type { StatementVerdict } from './verdict.ts';

/** A slice of a backend's configuration; times are milliseconds. */
export interface SenderOptions {
  readonly name: string;
  readonly db: string;
  readonly gzip: boolean;
  readonly maxRowLimit: number;
  readonly interval: number;
  readonly spillAfter: number;
  readonly rewriteInterval: number;
  /** Bytes of lines that may wait in memory for a slow backend; beyond it they wait on disk. */
  readonly maxQueuedBytes: number;
}

export interface SenderDeps extends Requests {
  readonly health: Health;
  readonly spill: Spill;
  readonly deadLetter: DeadLetter;
  readonly detachment: Detachment;
  readonly space: FreeSpace;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

/** The first pause between replay attempts; it doubles up to `rewriteInterval`. */
const MIN_REPLAY_PAUSE_MS = 100;

/**
 * Brings batches to one backend in order. Live, each write target has one request under way. When a request fails or is
 * slower than `spillAfter`, the backend is catching up: what was not answered goes to the spill, everything newer behind
 * it, and no live request is started. Replay begins when the open requests have ended, so nothing older can overtake;
 * the backend is live again in the very moment in which the spill is empty and its cursor durable. Under a steady load there
 * would always be something new in the spill: so when what is left of it is little, the backend is closing in, and new
 * batches wait in memory, for `spillAfter` at most as all do. A detached backend gets nothing any more, its spill stays as it is.
 */
export class Sender implements Destination, Member {
  /** What this backend has refused. */
  readonly refusedPoints: RefusedPoints;
  #phase: 'live' | 'closing in' | 'catching up';
  // Bytes of batches that are not settled.
  #queuedBytes = 0;
  readonly #lanes: Lanes;
  readonly #appends = new InOrder();
  // Settles when the newest record is on disk, or could not be put there.
  #lastAppend: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  readonly #requests: Requests;
  readonly #replayer: Replayer;
  #replaying: Promise<void> = Promise.resolve();
  readonly #options: SenderOptions;
  readonly #deps: SenderDeps;

  constructor(options: SenderOptions, deps: SenderDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#requests = reported(deps, deps.health);
    this.refusedPoints = new RefusedPoints(options.name, deps);
    const { refusedPoints } = this;
    this.#replayer = new Replayer(options, { ...deps, ...this.#requests, refusedPoints });
    const isComplete = deps.spill.isEmpty && !deps.detachment.isDetached;
    this.#phase = isComplete ? 'live' : 'catching up';
    this.#lanes = new Lanes(options, {
      ...this.#requests,
      onAnswered: ({ reservedBytes }) => {
        deps.spill.release(reservedBytes);
      },
      onLateAnswer: (sequence) => {
        this.#replayer.markDelivered(sequence);
      },
      onFailure: (failure) => {
        this.#catchUp(failure.reason, failure);
      },
    });
    deps.detachment.signal.onAbort(() => {
      this.#stop.abort();
      this.#catchUp('detached');
    });
  }

  /** Its database. */
  get db(): string {
    return this.#options.db;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Points in one request. */
  get maxRowLimit(): number {
    return this.#options.maxRowLimit;
  }

  /** Live requests are compressed. */
  get gzip(): boolean {
    return this.#options.gzip;
  }

  /** The longest time that points may gather, milliseconds. */
  get interval(): number {
    return this.#options.interval;
  }

  /** What is in the spill and not delivered yet. */
  get backlog(): Totals {
    return this.#deps.spill.backlog;
  }

  /** Every acknowledged point is at the backend. */
  get isComplete(): boolean {
    return this.#phase === 'live';
  }

  get detachment(): Detachment {
    return this.#deps.detachment;
  }

  /**
   * Room in the spill, for a batch that will be delivered or released. A backlog does not grow while the disk is low.
   * Once the backend is detached reservations have no meaning.
   */
  tryReserve(bytes: number): boolean {
    if (!this.isComplete && this.#deps.space.isLow) return false;
    return this.#deps.spill.tryReserve(bytes);
  }

  isFull(bytes: number): boolean {
    const { space, spill } = this.#deps;
    return !this.isComplete && (space.isLow || spill.isFull(bytes));
  }

  release(bytes: number): void {
    this.#deps.spill.release(bytes);
  }

  /** Takes up a backlog that an earlier process left. */
  start(): void {
    if (!this.isComplete) this.#replaying = this.#replay();
  }

  deliver(batch: Batch): Delivery {
    const shipment = new BatchShipment(batch);
    if (this.detachment.isDetached) {
      this.detachment.miss(batch.points);
      shipment.settleAll({ kind: 'missed' });
      return shipment;
    }
    const { maxQueuedBytes } = this.#options;
    if (this.#queuedBytes > maxQueuedBytes) this.#catchUp('queue full');
    this.#count(shipment);
    if (this.#ship(shipment)) this.#limit(shipment);
    return shipment;
  }

  /**
   * Runs a statement that changes data in its turn: after every batch that was delivered before it, before every later
   * one. It may take its time: writes that wait behind it for longer than `spillAfter` go to the spill, and so does it.
   */
  deliverStatement(form: string, reservedBytes: number): Promise<StatementVerdict> {
    if (this.detachment.isDetached) return Promise.resolve({ kind: 'missed' });
    const shipment = new StatementShipment(form, reservedBytes);
    if (this.#ship(shipment)) this.#surrenderWhenDown(shipment);
    return shipment.answer;
  }

  /** Runs a statement at once, whatever is under way: for one that neither deletes points nor minds being repeated. */
  executeNow(form: string): Promise<StatementOutcome> {
    if (!this.#deps.health.isDown) return this.#requests.execute(form);
    return Promise.resolve({ kind: 'failed', reason: 'down' });
  }

  /** Everything that is not answered goes to disk now, so that no client has to wait any longer. */
  surrender(): void {
    if (!this.#lanes.isEmpty) this.#catchUp('shutting down');
  }

  /** Ends the replay; what is not acknowledged is replayed by the next process. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#replaying;
  }

  /** Into the lanes or, while catching up, the spill; true for the lanes. */
  #ship(shipment: AnyShipment): boolean {
    if (this.#deps.health.isDown) this.#catchUp('down');
    const mayWait = this.#phase !== 'catching up';
    if (mayWait) this.#lanes.enqueue(shipment);
    else this.#spill(shipment);
    return mayWait;
  }

  #count({ batch, verdicts }: BatchShipment): void {
    this.#queuedBytes += batch.bytes;
    const settled = (): void => {
      this.#queuedBytes -= batch.bytes;
    };
    verdicts.then(settled, settled);
  }

  #limit(shipment: BatchShipment): void {
    const waited = this.#deps.clock.now() - shipment.batch.arrivedAt;
    const patience = Math.max(0, this.#options.spillAfter - waited);
    shipment.cancelTimer = this.#deps.clock.after(patience, () => {
      this.#catchUp('slow');
    });
  }

  /** Nobody waits for a statement as long as a hung server may take. */
  #surrenderWhenDown(shipment: StatementShipment): void {
    shipment.cancelTimer = this.#deps.health.downSignal.onAbort(() => {
      this.#catchUp('down');
    });
  }

  /**
   * What has no outcome yet goes to the spill, in order. After a live request that failed, the backend is left alone for a
   * while, as after a replay that failed.
   */
  #catchUp(reason: string, failure?: Failure): void {
    const phase = this.#phase;
    if (phase === 'catching up') return;
    this.#phase = 'catching up';
    for (const shipment of this.#lanes.surrender()) this.#spill(shipment);
    if (phase === 'closing in') return;
    this.#deps.log.warn({ backend: this.name, reason }, 'backend is catching up');
    this.#replaying = this.#replay(failure);
  }

  #spill(shipment: AnyShipment): void {
    shipment.cancelTimer?.();
    const { draft, reservedBytes } = shipment;
    const { db } = this.#options;
    const record = this.#appends.run(shipment.payload(), (payload) =>
      this.#deps.spill.append({ ...draft, db, payload }, reservedBytes),
    );
    shipment.record = record;
    this.#lastAppend = record.then(
      () => {
        shipment.settleSpilled();
      },
      (error: unknown) => {
        shipment.fail(error);
      },
    );
  }

  /** Until the backend is complete, detached, or the proxy stops. `failure`: of the live request that it begins after. */
  async #replay(failure?: Failure): Promise<void> {
    let failures = 0;
    if (failure !== undefined) await this.#pause(failure, this.#delayAfter(failure, failures++));
    for (;;) {
      await this.#lanes.whenQuiet();
      if (this.#stop.signal.aborted) {
        this.#catchUp('shutting down');
        return;
      }
      if (!this.#lanes.isQuiet) continue;
      if (this.#tryGoLive()) return;
      await this.#deps.health.whenUp(this.#options.rewriteInterval, this.#stop.signal);
      if (this.detachment.isDetached) return;
      const step = await this.#step();
      if (step.kind !== 'failed') {
        failures = 0;
        continue;
      }
      this.#catchUp('replay failed');
      const delay = this.#delayAfter(step, failures++);
      const { reason } = step;
      this.#deps.log.warn({ backend: this.name, reason, delay }, 'replay failed');
      await this.#pause(step, delay);
    }
  }

  /** No await between the look and the change: no batch can come between. */
  #tryGoLive(): boolean {
    if (!this.#deps.spill.isEmpty || this.#appends.pending > 0) return false;
    this.#phase = 'live';
    this.#deps.log.info({ backend: this.name }, 'backend is complete');
    this.#lanes.release();
    return true;
  }

  async #step(): Promise<Step> {
    const { clock } = this.#deps;
    const start = clock.monotonic();
    const step = await this.#replayer.step(this.#stop.signal);
    if (step.kind === 'idle') await this.#lastAppend;
    if (step.kind === 'moved') this.#closeIn(step, clock.monotonic() - start);
    return step;
  }

  /** When it has just taken as much as is left now, in half of the time that a batch may wait. */
  #closeIn({ bytes }: Moved, tookMs: number): void {
    if (this.#phase !== 'catching up' || tookMs > this.#options.spillAfter / 2) return;
    if (this.backlog.bytes > bytes) return;
    this.#phase = 'closing in';
    this.#lanes.hold();
  }

  #delayAfter({ retryAfterMs }: Failure, failures: number): number {
    const { rewriteInterval } = this.#options;
    const backoff = { minDelayMs: MIN_REPLAY_PAUSE_MS, maxDelayMs: rewriteInterval };
    return retryAfterMs ?? backoffMs(failures, backoff, this.#deps.random);
  }

  /** A server that is down is tried as soon as it is up again, unless it has asked for more time. */
  async #pause({ retryAfterMs }: Failure, delay: number): Promise<void> {
    if (this.#deps.health.isDown && retryAfterMs === undefined) return;
    await this.#deps.clock.sleep(delay, this.#stop.signal);
  }
}
