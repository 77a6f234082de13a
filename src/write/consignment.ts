import type { CancelTimer } from '../core/time.ts';
import type { Batch } from './batch.ts';
import type { Delivery } from './coalescer.ts';
import type { Verdict } from './verdict.ts';

/** One batch on its way to one backend: first tried live, perhaps spilled, settled once. */
export class Consignment implements Delivery {
  readonly batch: Batch;
  readonly verdicts: Promise<readonly Verdict[]>;
  readonly released: Promise<void>;
  /** The request that carries it, if one was sent; it may still be open after the batch was spilled. */
  flight: Promise<void> = Promise.resolve();
  /** Its record in the spill, once it was handed there. */
  record: Promise<number> | undefined;
  cancelTimer: CancelTimer | undefined;
  #isSettled = false;
  readonly #resolve: (verdicts: readonly Verdict[]) => void;
  readonly #reject: (error: unknown) => void;

  constructor(batch: Batch) {
    this.batch = batch;
    let resolve: (verdicts: readonly Verdict[]) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    this.verdicts = new Promise((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.#resolve = resolve;
    this.#reject = reject;
    const flight = (): Promise<void> => this.flight;
    this.released = this.verdicts.then(flight, flight);
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The same verdict on every part. */
  settleAll(verdict: Verdict): void {
    this.settle(this.batch.parts.map(() => verdict));
  }

  settle(verdicts: readonly Verdict[]): void {
    this.#isSettled = true;
    this.cancelTimer?.();
    this.#resolve(verdicts);
  }

  fail(error: unknown): void {
    this.#isSettled = true;
    this.cancelTimer?.();
    this.#reject(error);
  }
}
