/** Nanoseconds per unit. `ms` and `ns` are tried before the one-letter units. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['ms', 1_000_000n],
  ['u', 1_000n],
  ['\u00b5', 1_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
  ['d', 86_400_000_000_000n],
  ['w', 604_800_000_000_000n],
]);

const PART = /(\d+)(ns|ms|[u\u00b5smhdw])/y;
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_DIGITS = 20; // of either; beyond them BigInt would take more than linear time

export type DurationResult =
  | { readonly ok: true; readonly nanoseconds: bigint }
  | { readonly ok: false; readonly error: string };

/** `1h30m` in nanoseconds. The sum wraps at 64 bits as Go's does; a negative outcome is refused as an overflow. */
export function parseDuration(text: string): DurationResult {
  const negative = text.startsWith('-');
  let sum = 0n;
  let part = '';
  for (let at = negative ? 1 : 0; at < text.length || part === ''; at += part.length) {
    PART.lastIndex = at;
    const [whole, digits = '', unit = ''] = PART.exec(text) ?? [];
    const count = whole === undefined ? undefined : parseInt64(digits);
    if (whole === undefined || count === undefined) return { ok: false, error: 'invalid duration' };
    part = whole;
    sum = BigInt.asIntN(64, sum + count * (UNITS.get(unit) ?? 0n));
  }
  if (negative) return { ok: true, nanoseconds: -sum };
  if (sum >= 0n) return { ok: true, nanoseconds: sum };
  return {
    ok: false,
    error: `overflowed duration ${part}: choose a smaller duration or INF`,
  };
}

/** A run of digits, or undefined if it is too large for a signed 64-bit integer. */
export function parseInt64(digits: string): bigint | undefined {
  return parseWithin(digits, MAX_INT64);
}

/** The same for an unsigned one. */
export function parseUint64(digits: string): bigint | undefined {
  return parseWithin(digits, MAX_UINT64);
}

function parseWithin(digits: string, max: bigint): bigint | undefined {
  const significant = digits.replace(/^0+(?=\d)/, '');
  if (significant.length > MAX_DIGITS) return undefined;
  const value = BigInt(significant);
  return value <= max ? value : undefined;
}
