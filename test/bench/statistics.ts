/** Of an odd number of values the middle one, else the upper of the two. */
export function median(values: readonly number[]): number {
  const middle = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  if (middle === undefined) throw new Error('BUG: the median of nothing');
  return middle;
}
