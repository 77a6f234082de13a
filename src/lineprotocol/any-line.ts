import { BACKSLASH, HASH, NEWLINE, blanksEnd } from './bytes.ts';
import { isOneLine, lineEnd } from './line-end.ts';
import type { LineScan } from './line-scan.ts';
import type { LineVisitor } from './line-visitor.ts';
import { acceptPoint } from './point.ts';

/** What a line is: a point, one that InfluxDB refuses, or one that it skips (blank, a comment). */
export type LineKind = 'point' | 'invalid' | 'skipped';

interface AnyLine {
  kind: LineKind;
  /** Where the next line begins, or beyond the body. */
  next: number;
}

/** Reads the line at body[at], whatever it is, by InfluxDB's own rules. */
function scanAnyLine(scan: LineScan, at: number): AnyLine {
  const { body } = scan;
  const lineStop = Math.min(lineEnd(body, at, body.length), body.length);
  const next = lineStop + 1;
  scan.start = blanksEnd(body, at, lineStop);
  // A newline after a backslash does not end the line, but is dropped when it is the line's last byte.
  scan.end = body[lineStop - 1] === NEWLINE ? lineStop - 1 : lineStop;
  if (scan.start >= lineStop || body[scan.start] === HASH) return { kind: 'skipped', next };
  const { end } = scan;
  if (acceptPoint(scan) && keepWhole(scan, at, lineStop)) return { kind: 'point', next };
  scan.end = end;
  return { kind: 'invalid', next };
}

/**
 * Makes sure that the accepted line stays one line, with the same meaning, when it is sent on with a newline or with
 * ` <timestamp>` and a newline after it. There are lines that InfluxDB takes, by accident, only at their place in the body:
 * one that ends in a bare backslash (it would swallow the next line), and one with an odd quote in a tag.
 */
function keepWhole(scan: LineScan, lineStart: number, lineStop: number): boolean {
  const { body, start, end } = scan;
  const untouched = start === lineStart && end === lineStop && body[end - 1] !== BACKSLASH;
  if (untouched || isOneLine(body, start, end)) return true;
  if (body[end - 1] !== BACKSLASH && isOneLine(body, lineStart, end)) {
    scan.start = lineStart; // with its blanks, which make a quote in its measurement or tags count
    return true;
  }
  scan.refuse(body[end - 1] === BACKSLASH ? 'invalid field format' : 'unbalanced quotes');
  return false;
}

/** Shows the visitor what the line at `at` is; returns where the next one begins, or beyond the body. */
export function visitAnyLine(scan: LineScan, at: number, visitor: LineVisitor): number {
  const { kind, next } = scanAnyLine(scan, at);
  if (kind === 'point') visitor.point(scan.start, scan.measurementEnd, scan.end, scan.timed);
  if (kind === 'invalid') visitor.invalid(scan.start, scan.end, scan.reason);
  return next;
}
