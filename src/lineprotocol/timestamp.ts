import { MINUS, NEWLINE, SPACE, spacesEnd } from './bytes.ts';
import { digitsEnd, exceeds, int64Fault } from './decimal.ts';
import type { LineScan } from './line-scan.ts';
import { NANOSECONDS_PER, type Precision } from './precision.ts';

/** The first and the last nanosecond of InfluxDB are these far from 1970, so one limit does for both signs. */
const MAX_NANOSECONDS = 2n ** 63n - 2n;

/** The digits of the largest timestamp of each precision. */
export const MAX_TIMESTAMP: Record<Precision, Buffer> = {
  ns: maxTimestamp('ns'),
  u: maxTimestamp('u'),
  ms: maxTimestamp('ms'),
  s: maxTimestamp('s'),
  m: maxTimestamp('m'),
  h: maxTimestamp('h'),
};

function maxTimestamp(precision: Precision): Buffer {
  return Buffer.from((MAX_NANOSECONDS / NANOSECONDS_PER[precision]).toString());
}

/** Offset after the timestamp at `at`, which is not blank; the rest of the line is checked, too. */
export function scanTimestamp(scan: LineScan, at: number): number {
  const { body, end } = scan;
  const first = body[at] === MINUS ? at + 1 : at;
  const last = digitsEnd(body, first, end);
  if (last < end && body[last] !== SPACE && body[last] !== NEWLINE)
    return scan.refuse('bad timestamp');
  const fault = int64Fault(body, at, last);
  if (fault !== undefined) return scan.refuse(fault);
  if (exceeds(body, first, last, MAX_TIMESTAMP[scan.precision])) {
    return scan.refuse(`time outside range -${MAX_NANOSECONDS} - ${MAX_NANOSECONDS}`);
  }
  return spacesEnd(body, last, end) === end ? last : scan.refuse('point is invalid');
}
