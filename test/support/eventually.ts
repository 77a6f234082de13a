import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';

export interface EventuallyOptions {
  /** Default 30,000: it is only how long a failure takes. */
  readonly deadlineMs?: number;
  /** Default 20. */
  readonly intervalMs?: number;
}

/**
 * The first answer of `probe` that is neither `undefined` nor `false`. A probe that throws has not succeeded yet;
 * past the deadline the error names `what` was waited for and the last failure.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = options.deadlineMs ?? 30_000;
  const end = performance.now() + deadlineMs;
  let last = 'not yet';
  for (;;) {
    // Before the look: a machine that stood still in between gets one more.
    const isLast = performance.now() >= end;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) {
        return answer as Exclude<T, undefined | false>;
      }
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      last = messageOf(error);
    }
    if (isLast) throw new Error(`${what}: not within ${deadlineMs} ms (${last})`);
    await sleep(options.intervalMs ?? 20);
  }
}

/** Thrown by a probe: waiting longer cannot help. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp';
}
