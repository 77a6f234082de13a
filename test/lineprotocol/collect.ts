import type { LineVisitor } from '../../src/lineprotocol/line-visitor.ts';
import type { Precision } from '../../src/lineprotocol/precision.ts';
import { LineScanner, scanLines } from '../../src/lineprotocol/scanner.ts';

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

const scanner = new LineScanner();

/** All that a visitor is shown of the body, by the scanner of the write path. */
export function collect(body: Buffer, precision: Precision = 'ns'): Seen {
  return seenBy((visitor) => {
    Array.from(scanner.scan(body, precision, visitor));
  });
}

/** The same without the fast path. */
export function collectOneByOne(body: Buffer, precision: Precision): Seen {
  return seenBy((visitor) => {
    scanLines(body, precision, visitor);
  });
}

function seenBy(scan: (visitor: LineVisitor) => void): Seen {
  const seen: Seen = { points: [], invalid: [], spans: [] };
  scan({
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
