import type { CancelTimer } from '../core/time.ts';
import type { RecordKind } from '../spill/record.ts';
import type { Batch } from './batch.ts';
import type { Delivery } from './coalescer.ts';
import type { StatementVerdict, Verdict } from './verdict.ts';

/** What the spill keeps of a shipment, less the backend's database. */
export interface Draft {
  readonly kind: RecordKind;
  readonly points: number;
  readonly rp: string;
  readonly precision: string;
}

/** Something on its way to one backend: first tried live, perhaps spilled, settled once with an answer. */
export abstract class Shipment<Answer> {
  /** Rejects when it has neither reached the backend nor the disk. */
  readonly answer: Promise<Answer>;
  /** The request that carries it, if one was sent; it may still be open after the shipment was spilled. */
  flight: Promise<void> = Promise.resolve();
  /** Its record in the spill, once it was handed there. */
  record: Promise<number> | undefined;
  cancelTimer: CancelTimer | undefined;
  #isSettled = false;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;

  constructor() {
    let resolve: (answer: Answer) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    this.answer = new Promise((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  abstract readonly draft: Draft;
  /** Room for it that is kept free in the spill. */
  abstract readonly reservedBytes: number;
  abstract payload(): Promise<Buffer>;
  /** It is on disk, synced. */
  abstract settleSpilled(): void;

  get isSettled(): boolean {
    return this.#isSettled;
  }

  settle(answer: Answer): void {
    this.#isSettled = true;
    this.cancelTimer?.();
    this.#resolve(answer);
  }

  fail(error: unknown): void {
    this.#isSettled = true;
    this.cancelTimer?.();
    this.#reject(error);
  }
}

/** One batch on its way to one backend. */
export class BatchShipment extends Shipment<readonly Verdict[]> implements Delivery {
  readonly batch: Batch;
  readonly released: Promise<void>;

  constructor(batch: Batch) {
    super();
    this.batch = batch;
    const flight = (): Promise<void> => this.flight;
    this.released = this.answer.then(flight, flight);
  }

  get verdicts(): Promise<readonly Verdict[]> {
    return this.answer;
  }

  get draft(): Draft {
    const { points, target } = this.batch;
    return { kind: 'batch', points, rp: target.rp, precision: target.precision };
  }

  get reservedBytes(): number {
    return this.batch.reservedBytes;
  }

  payload(): Promise<Buffer> {
    return this.batch.gzipped();
  }

  settleSpilled(): void {
    this.settleAll({ kind: 'spilled' });
  }

  /** The same verdict on every part. */
  settleAll(verdict: Verdict): void {
    this.settle(this.batch.parts.map(() => verdict));
  }
}

/** One statement that changes data: the parameters of `/query` as this backend gets them, urlencoded. */
export class StatementShipment extends Shipment<StatementVerdict> {
  readonly form: string;
  readonly reservedBytes: number;

  constructor(form: string, reservedBytes: number) {
    super();
    this.form = form;
    this.reservedBytes = reservedBytes;
  }

  get draft(): Draft {
    return { kind: 'statement', points: 0, rp: '', precision: '' };
  }

  payload(): Promise<Buffer> {
    return Promise.resolve(Buffer.from(this.form));
  }

  settleSpilled(): void {
    this.settle({ kind: 'spilled' });
  }
}

export type AnyShipment = BatchShipment | StatementShipment;
