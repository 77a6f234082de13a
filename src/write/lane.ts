import type { BatchShipment } from './shipment.ts';

/** The batches of one write target at one backend: at most one request is under way, the others wait in order. */
export class Lane {
  #underway: readonly BatchShipment[] = [];
  #queue: BatchShipment[] = [];

  get isIdle(): boolean {
    return this.#underway.length === 0 && this.#queue.length === 0;
  }

  push(shipment: BatchShipment): void {
    this.#queue.push(shipment);
  }

  /** What the next request carries: the oldest batch and those behind it that fit `maxPoints` with it. */
  take(maxPoints: number): readonly BatchShipment[] {
    let count = 0;
    let points = 0;
    for (const { batch } of this.#queue) {
      points += batch.points;
      const isAlone = batch.target.suspect !== undefined;
      if (count > 0 && (points > maxPoints || isAlone)) break;
      count += 1;
      if (isAlone) break;
    }
    this.#underway = this.#queue.splice(0, count);
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
