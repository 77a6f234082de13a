import type { RecordFields } from './record.ts';
import type { Segment } from './segment.ts';
import type { FoundRecord } from './segment-reader.ts';
import { plus, type Totals } from './totals.ts';

/** A record as the spill shows it to who delivers it. */
export interface StoredRecord extends RecordFields {
  readonly sequence: number;
  readonly payload: Buffer;
  readonly position: Position;
}

/** Where a record ends, and what of its segment is delivered once it is. Only the spill looks inside. */
export interface Position {
  readonly segment: Segment;
  /** Byte in the segment. */
  readonly end: number;
  readonly delivered: Totals;
}

/** `before`: what of the segment is delivered once the first of the records is next. */
export function storedRecords(
  found: readonly FoundRecord[],
  segment: Segment,
  before: Totals,
): StoredRecord[] {
  let delivered = before;
  return found.map(({ header, payload, end }) => {
    const { kind, points, db, rp, precision, sequence } = header;
    delivered = plus(delivered, { records: 1, points, bytes: payload.length });
    const position = { segment, end, delivered };
    return { kind, points, db, rp, precision, sequence, payload, position };
  });
}
