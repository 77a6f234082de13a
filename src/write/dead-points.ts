import type { DeadPoint } from '../spill/dead-point.ts';
import { linesOf } from './culprits.ts';
import type { RefusedLines } from './verdict.ts';

export interface DeadPointContext {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly db: string;
  readonly rp: string;
  readonly precision: string;
}

/** UTF-16 units of an error: it may list every line of a request, and is kept with each of them. */
const MAX_ERROR_LENGTH = 1024;

/** One dead point per refused line. */
export function deadPointsOf(
  { payload, error }: RefusedLines,
  { timeMs, db, rp, precision }: DeadPointContext,
): readonly DeadPoint[] {
  const cut = error.slice(0, MAX_ERROR_LENGTH);
  return rangesOf(payload).map(([start, end]) => ({
    ...{ timeMs, error: cut, db, rp, precision },
    line: payload.subarray(start, end),
  }));
}

/** Where each line of lines that were scanned before begins and ends, its newline left out. */
export function rangesOf(payload: Buffer): readonly (readonly [start: number, end: number])[] {
  return linesOf(payload).map(({ start, end }) => [start, end - 1]);
}
