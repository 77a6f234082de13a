import type { Precision } from './precision.ts';

/** Returned in place of an offset by whatever refuses the line; the scan then holds the reason. */
export const REFUSED = -1;

export const INVALID_NUMBER = 'invalid number';

/** The line under scrutiny. One object serves all lines of a body, so that none is made per line. */
export class LineScan {
  readonly body: Buffer;
  readonly precision: Precision;
  /** The line is body[start, end). The parts of a scan read no byte from `end` on. */
  start = 0;
  end = 0;
  /** Offset after the measurement, and whether there is a timestamp. Valid once the line has been accepted. */
  measurementEnd = 0;
  timed = false;
  /** The line holds an unsigned field, which 1.x refuses and 2.x takes. */
  unsigned = false;
  /** InfluxDB may read the fields in two ways: there is a backslash outside of strings, or a `=` after a value. */
  ambiguous = false;
  /** InfluxDB's words for why it refuses the line. Valid after REFUSED was returned. */
  reason = '';

  constructor(body: Buffer, precision: Precision) {
    this.body = body;
    this.precision = precision;
  }

  refuse(reason: string): typeof REFUSED {
    // To 1.x the unsigned field is the line's first fault: whatever else is wrong comes after it.
    this.reason = this.unsigned ? INVALID_NUMBER : reason;
    return REFUSED;
  }
}
