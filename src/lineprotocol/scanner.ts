import { scanAnyLine } from './any-line.ts';
import { LineScan } from './line-scan.ts';
import { scanPlainLine } from './plain-line.ts';
import type { Precision } from './precision.ts';

/** What the lines of a body turn out to be, in their order. Blank lines and comments are not shown. */
export interface LineVisitor {
  /**
   * One valid line, body[start, end): no newline ends it, no blank precedes it (save where the line would not be one
   * line without). body[start, measurementEnd) is the measurement, still escaped; `timed`: the line has a timestamp.
   * Followed by a newline, or if it is not timed by ` <timestamp>` and a newline, it is read as the same point.
   */
  point(start: number, measurementEnd: number, end: number, timed: boolean): void;
  /** One line that InfluxDB refuses, with its own words: what follows ``unable to parse '<line>': ``. */
  invalid(start: number, end: number, reason: string): void;
}

/**
 * Splits a write's body into lines and judges each one exactly as InfluxDB 1.x does, in time linear in the body. A line that
 * some version of InfluxDB takes is valid, the backend judges.
 */
export function scanLines(body: Buffer, precision: Precision, visitor: LineVisitor): void {
  scanPiece(new LineScan(body, precision), 0, body.length, visitor);
}

/** As scanLines, but yields, every `pieceBytes` or more, where the next line begins. */
export function* scanInPieces(
  body: Buffer,
  precision: Precision,
  visitor: LineVisitor,
  pieceBytes: number,
): Iterable<number> {
  const scan = new LineScan(body, precision);
  for (let at = 0; at < body.length;) {
    at = scanPiece(scan, at, at + pieceBytes, visitor);
    yield at;
  }
}

/** Offset of the first line that begins at or after `until`, or beyond the body. */
function scanPiece(scan: LineScan, from: number, until: number, visitor: LineVisitor): number {
  const end = Math.min(until, scan.body.length);
  let at = from;
  while (at < end) {
    if (scanPlainLine(scan, at)) {
      visitor.point(at, scan.measurementEnd, scan.end, scan.timed);
      at = scan.end + 1;
    } else {
      at = visitAnyLine(scan, at, visitor);
    }
  }
  return at;
}

function visitAnyLine(scan: LineScan, at: number, visitor: LineVisitor): number {
  const { kind, next } = scanAnyLine(scan, at);
  if (kind === 'point') visitor.point(scan.start, scan.measurementEnd, scan.end, scan.timed);
  if (kind === 'invalid') visitor.invalid(scan.start, scan.end, scan.reason);
  return next;
}
