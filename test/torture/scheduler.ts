import { setImmediate as turn } from 'node:timers/promises';
import { type CancelTimer, type Clock, sleepBy } from '../../src/core/time.ts';
import type { Random } from './random.ts';

interface Event {
  readonly dueMs: number;
  /** Among events of one millisecond the seed decides. */
  readonly lot: number;
  readonly run: () => void;
}

/** Virtual time. One event runs, then all promises come to rest, then the next one runs. */
export class Scheduler {
  nowMs = 1_700_000_000_000;
  events = 0;
  readonly #random: Random;
  // In the order in which they will run.
  readonly #queue: Event[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  after(ms: number, run: () => void): CancelTimer {
    const event = { dueMs: this.nowMs + Math.max(0, Math.ceil(ms)), lot: this.#random.next(), run };
    const next = this.#queue.findIndex((other) => isBefore(event, other));
    this.#queue.splice(next === -1 ? this.#queue.length : next, 0, event);
    return () => {
      const at = this.#queue.indexOf(event);
      if (at !== -1) this.#queue.splice(at, 1);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** False: `isOver` did not come true within `ms`. */
  async runUntil(isOver: () => boolean, ms: number): Promise<boolean> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await turn();
      if (isOver()) return true;
      const event = this.#queue[0];
      if (event === undefined || event.dueMs > endMs) return false;
      this.#queue.shift();
      this.events += 1;
      this.nowMs = event.dueMs;
      event.run();
    }
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.lot < other.lot);
}

/** One process on the machine. Once it was killed, nothing that it waits for ever happens, and nothing it does counts. */
export class Process {
  isAlive = true;
  readonly clock: Clock;
  #timers = 0;
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    const after: Clock['after'] = (ms, run) => this.#after(ms, run);
    this.clock = {
      now: () => scheduler.nowMs,
      monotonic: () => scheduler.nowMs,
      nowNanoseconds: () => BigInt(scheduler.nowMs) * 1_000_000n,
      after,
      sleep: sleepBy(after),
    };
  }

  isDead(): boolean {
    return !this.isAlive;
  }

  get timers(): number {
    return this.#timers;
  }

  #after(ms: number, run: () => void): CancelTimer {
    let isPending = true;
    this.#timers += 1;
    const end = (): void => {
      if (isPending) this.#timers -= 1;
      isPending = false;
    };
    const cancel = this.#scheduler.after(ms, () => {
      end();
      if (this.isAlive) run();
    });
    return () => {
      cancel();
      end();
    };
  }
}
