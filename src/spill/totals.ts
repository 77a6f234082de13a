/** What a number of records amounts to. `bytes` are payload bytes, without headers. */
export interface Totals {
  readonly records: number;
  readonly points: number;
  readonly bytes: number;
}

export const NOTHING: Totals = { records: 0, points: 0, bytes: 0 };

export function plus(a: Totals, b: Totals): Totals {
  return {
    records: a.records + b.records,
    points: a.points + b.points,
    bytes: a.bytes + b.bytes,
  };
}

/** Never below zero: after damage `b` may count records that `a` never saw. */
export function minus(a: Totals, b: Totals): Totals {
  return {
    records: Math.max(0, a.records - b.records),
    points: Math.max(0, a.points - b.points),
    bytes: Math.max(0, a.bytes - b.bytes),
  };
}
