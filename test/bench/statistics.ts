/** Of an odd number of values the middle one, else the upper of the two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that the share `q` (0 to below 1) of all values lies below. */
export function quantile(values: readonly number[], q: number): number {
  const value = values.toSorted((a, b) => a - b)[Math.floor(values.length * q)];
  if (value === undefined) throw new Error('BUG: a quantile of nothing');
  return value;
}
