import { scanLines } from '../../src/lineprotocol/scanner.ts';
import type { Precision } from '../../src/lineprotocol/precision.ts';

export interface SeenPoint {
  readonly start: number;
  readonly measurementEnd: number;
  readonly end: number;
  readonly timed: boolean;
}

export interface SeenInvalid {
  readonly start: number;
  readonly end: number;
  readonly reason: string;
}

export interface Seen {
  readonly points: SeenPoint[];
  readonly invalid: SeenInvalid[];
  /** The spans of both, in the order in which they came. */
  readonly spans: (readonly [start: number, end: number])[];
}

/** All that a visitor is shown of the body. */
export function collect(body: Buffer, precision: Precision = 'ns'): Seen {
  const seen: Seen = { points: [], invalid: [], spans: [] };
  scanLines(body, precision, {
    point: (start, measurementEnd, end, timed) => {
      seen.points.push({ start, measurementEnd, end, timed });
      seen.spans.push([start, end]);
    },
    invalid: (start, end, reason) => {
      seen.invalid.push({ start, end, reason });
      seen.spans.push([start, end]);
    },
  });
  return seen;
}

/** The lines that a visitor is shown as points, as text. */
export function pointTexts(body: Buffer): string[] {
  return collect(body).points.map(({ start, end }) => body.toString('latin1', start, end));
}
