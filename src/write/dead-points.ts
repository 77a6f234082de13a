import { scanLines } from '../lineprotocol/scanner.ts';
import type { DeadPoint } from '../spill/dead-letter.ts';
import type { RefusedLines } from './verdict.ts';

export interface DeadPointContext {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly db: string;
  readonly rp: string;
  readonly precision: string;
}

/** One dead point per refused line. */
export function deadPointsOf(
  { payload, error }: RefusedLines,
  { timeMs, db, rp, precision }: DeadPointContext,
): readonly DeadPoint[] {
  return rangesOf(payload).map(([start, end]) => ({
    ...{ timeMs, error, db, rp, precision },
    line: payload.subarray(start, end),
  }));
}

/** Where each line of lines that were scanned before begins and ends. */
export function rangesOf(payload: Buffer): readonly (readonly [start: number, end: number])[] {
  const ranges: (readonly [number, number])[] = [];
  scanLines(payload, 'ns', {
    point: (start, _measurementEnd, end) => ranges.push([start, end]),
    // Valid at the precision that it came with; in nanoseconds its timestamp may be out of range.
    invalid: (start, end) => ranges.push([start, end]),
  });
  return ranges;
}
