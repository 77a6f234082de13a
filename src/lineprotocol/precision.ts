/** The unit of a request's timestamps. */
export type Precision = 'ns' | 'u' | 'ms' | 's' | 'm' | 'h';

export const NANOSECONDS_PER: Record<Precision, bigint> = {
  ns: 1n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const SPELLINGS: ReadonlyMap<string, Precision> = new Map([
  ['', 'ns'],
  ['n', 'ns'],
  ['ns', 'ns'],
  ['u', 'u'],
  ['ms', 'ms'],
  ['s', 's'],
  ['m', 'm'],
  ['h', 'h'],
]);

/** The precision that `/write` of InfluxDB 1.x knows by this name, case-sensitive; undefined for any other name. */
export function precisionOf(text: string): Precision | undefined {
  return SPELLINGS.get(text);
}
