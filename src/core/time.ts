/** Cancels the timer; calling it after the timer has fired does nothing. */
export type CancelTimer = () => void;

/** Time is a collaborator: production passes `systemClock`, tests one that they move by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Nanoseconds since the Unix epoch; the machine's resolution is a microsecond or better. */
  nowNanoseconds(): bigint;
  /** Milliseconds since some moment, with fractions, of a clock that nobody sets: for how long something took. */
  monotonic(): number;
  /** Calls `run` once after `ms`. The timer keeps the process alive. */
  after(ms: number, run: () => void): CancelTimer;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** `Clock.sleep` by means of `Clock.after`. */
export function sleepBy(after: Clock['after']): Clock['sleep'] {
  return (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const finish = (): void => {
        cancel();
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = after(ms, finish);
      signal.addEventListener('abort', finish, { once: true });
    });
}

function after(ms: number, run: () => void): CancelTimer {
  const timer = setTimeout(run, ms);
  return () => {
    clearTimeout(timer);
  };
}

/** The machine's clock. Nanoseconds come from `performance`, anchored to the wall clock at each call. */
export const systemClock: Clock = {
  now: () => Date.now(),
  nowNanoseconds: () => {
    // `timeOrigin + now()` would drift from a wall clock that is being set; the millisecond is the wall clock's,
    // only the part below it is the monotonic clock's.
    const belowMillisecond = process.hrtime.bigint() % 1_000_000n;
    return BigInt(Date.now()) * 1_000_000n + belowMillisecond;
  },
  monotonic: () => performance.now(),
  after,
  sleep: sleepBy(after),
};

export interface BackoffOptions {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The wait before attempt `attempt + 1` (`attempt` counts failures from 0): doubling, with half of it random so
 * that proxies which lost the same backend do not return in step. At least half of `minDelayMs`: never a hot loop.
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(options.maxDelayMs, options.minDelayMs * 2 ** Math.min(attempt, 30));
  return Math.ceil(ceiling / 2 + (random() * ceiling) / 2);
}
