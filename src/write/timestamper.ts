import type { Clock } from '../core/time.ts';

/**
 * The timestamp of a request's lines that carry none. Strictly increasing from request to request, so that of two
 * writes to one point the later one wins on every replica, as on one InfluxDB.
 */
export class Timestamper {
  // Invariant: not less than any timestamp given so far, in nanoseconds.
  #last = 0n;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nanoseconds since the Unix epoch. */
  next(): bigint {
    const now = this.#clock.nowNanoseconds();
    this.#last = now > this.#last ? now : this.#last + 1n;
    return this.#last;
  }
}
