import { type Batch, MAX_BATCH_BYTES, shareKey } from './batch.ts';
import type { BatchShipment } from './shipment.ts';

/** The batches of one route and rp at one backend: at most one request is under way, the others wait in order. */
export class Lane {
  #underway: readonly BatchShipment[] = [];
  #queue: BatchShipment[] = [];

  get isIdle(): boolean {
    return this.#underway.length === 0 && this.#queue.length === 0;
  }

  push(shipment: BatchShipment): void {
    this.#queue.push(shipment);
  }

  /** What the next request carries: the oldest batch and those behind it that may share a request with it. */
  take(maxPoints: number): readonly BatchShipment[] {
    const [first] = this.#queue;
    let points = 0;
    let bytes = 0;
    const end = this.#queue.findIndex(({ batch }, index) => {
      points += batch.points;
      bytes += batch.bytes;
      const isMore = points > maxPoints || bytes > MAX_BATCH_BYTES;
      return index > 0 && (isMore || !mayShare(batch, first?.batch));
    });
    this.#underway = this.#queue.splice(0, end === -1 ? this.#queue.length : end);
    return this.#underway;
  }

  finish(): void {
    this.#underway = [];
  }

  /** All that is not settled, oldest first; what waited is taken out, what is under way stays until it is finished. */
  surrender(): readonly BatchShipment[] {
    const waiting = this.#queue;
    this.#queue = [];
    return [...this.#underway.filter(({ isSettled }) => !isSettled), ...waiting];
  }
}

function mayShare(batch: Batch, first: Batch | undefined): boolean {
  return first !== undefined && shareKey(batch.target) === shareKey(first.target);
}
