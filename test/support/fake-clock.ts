import { setImmediate as turn } from 'node:timers/promises';
import { type CancelTimer, type Clock, sleepBy } from '../../src/core/time.ts';

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nanoseconds: bigint;
  // In order of `dueMs`, equals in the order in which they were set.
  readonly #timers: Timer[] = [];

  /** Default: some moment in 2023. */
  constructor(startMs = 1_700_000_000_000) {
    this.#nanoseconds = BigInt(startMs) * 1_000_000n;
  }

  now(): number {
    return Number(this.#nanoseconds / 1_000_000n);
  }

  nowNanoseconds(): bigint {
    return this.#nanoseconds;
  }

  /** Moves with the wall clock; a test sets that back only where no duration is measured. */
  monotonic(): number {
    return Number(this.#nanoseconds) / 1e6;
  }

  after(ms: number, run: () => void): CancelTimer {
    const timer = { dueMs: this.now() + Math.max(0, ms), run };
    const next = this.#timers.findIndex(({ dueMs }) => dueMs > timer.dueMs);
    this.#timers.splice(next === -1 ? this.#timers.length : next, 0, timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at !== -1) this.#timers.splice(at, 1);
    };
  }

  readonly sleep = sleepBy((ms, run) => this.after(ms, run));

  /** Timers that wait. A part that was closed should leave none. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer, or undefined. */
  get nextInMs(): number | undefined {
    const first = this.#timers[0];
    return first === undefined ? undefined : first.dueMs - this.now();
  }

  /**
   * Moves time by `ms` and runs what comes due, each at its own moment. Promises settle in between, so what a timer
   * wakes may set timers that are due within the same `ms`.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.now() + ms;
    await settle();
    for (let timer = this.#takeDue(endMs); timer !== undefined; timer = this.#takeDue(endMs)) {
      this.#moveTo(timer.dueMs);
      timer.run();
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** Moves the nanoseconds alone; for two moments within one millisecond. */
  advanceNanoseconds(nanoseconds: bigint): void {
    this.#nanoseconds += nanoseconds;
  }

  /** Sets the wall clock, back too, as an administrator or NTP does; timers keep their distance. */
  setWallClock(ms: number): void {
    const moved = ms - this.now();
    this.#nanoseconds = BigInt(ms) * 1_000_000n;
    const shifted = this.#timers.map((timer) => ({ timer, dueMs: timer.dueMs + moved }));
    for (const { timer, dueMs } of shifted) Object.assign(timer, { dueMs });
  }

  #takeDue(endMs: number): Timer | undefined {
    const first = this.#timers[0];
    return first !== undefined && first.dueMs <= endMs ? this.#timers.shift() : undefined;
  }

  #moveTo(ms: number): void {
    const nanoseconds = BigInt(ms) * 1_000_000n;
    if (nanoseconds > this.#nanoseconds) this.#nanoseconds = nanoseconds;
  }
}

/** Lets chains of promises, also a few that cross I/O callbacks, come to rest. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await turn();
}
