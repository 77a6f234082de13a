/** What became of one part at one backend. */
export type Verdict =
  | { readonly kind: 'stored' }
  /** On disk, synced, to be replayed. */
  | { readonly kind: 'spilled' }
  /** The backend is detached: it does not count. */
  | { readonly kind: 'missed' }
  | Refusal;

/** The backend will never take (all of) the part; `error` is its own text. The other lines are stored. */
export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly error: string;
  readonly lines: readonly RefusedLines[];
}

/** What became of a statement at one backend. `body` is InfluxDB's answer; `spilled`: it runs in its turn; `missed`: never. */
export type StatementVerdict =
  | { readonly kind: 'done'; readonly body: string }
  | { readonly kind: 'refused'; readonly status: number; readonly body: string }
  | { readonly kind: 'spilled' }
  | { readonly kind: 'missed' };

/** Lines that a backend will never take, and what it said of them. */
export interface RefusedLines {
  readonly payload: Buffer;
  readonly points: number;
  readonly status: number;
  readonly error: string;
}

/**
 * Whether a line that one backend refused is stored by another one, or may be when that one's spill is replayed. All
 * verdicts are on the same part.
 */
export function diverge(verdicts: readonly Verdict[]): boolean {
  const attached = verdicts.filter(({ kind }) => kind !== 'missed');
  // What is spilled counts as stored: whether it is refused in replay is known only then.
  return new Set(attached.map(refusedRanges)).size > 1;
}

/** Pieces of one part's buffer, joined where they touch: equal texts mean the same lines. */
function refusedRanges(verdict: Verdict): string {
  const lines = verdict.kind === 'refused' ? verdict.lines : [];
  const pieces = lines.map(({ payload }) => payload);
  const ranges: [start: number, end: number][] = [];
  for (const { byteOffset: start, length } of pieces.toSorted(byOffset)) {
    const end = start + length;
    const last = ranges.at(-1);
    if (last?.[1] === start) last[1] = end;
    else ranges.push([start, end]);
  }
  return JSON.stringify(ranges);
}

function byOffset(one: Buffer, other: Buffer): number {
  return one.byteOffset - other.byteOffset;
}

export const STORED: Verdict = { kind: 'stored' };

/** What became of a whole request: undefined when every point is stored or spilled, else what the client is told. */
export type WriteError = Pick<Refusal, 'status' | 'error'> | undefined;

/** What the scanner and the keymap said of a request, and what its backends said of the rest. */
export interface RequestOutcome {
  /** InfluxDB's words for the lines that it cannot parse. */
  readonly unparsable: readonly string[];
  /** Points without a route, and their measurements. */
  readonly unrouted: { readonly points: number; readonly measurements: ReadonlySet<string> };
  /** The points that were sent on. */
  readonly routed: number;
  readonly refusals: readonly Refusal[];
}

/**
 * InfluxDB's answer to a request of which a part failed: a storage error alone, even beside lines that do not parse;
 * else the parse errors, as `partial write` with `dropped=0` when other lines were stored (influxd 1.6.7, `/write`).
 */
export function writeErrorOf(outcome: RequestOutcome): WriteError {
  const { unparsable, unrouted, routed, refusals } = outcome;
  const missing = missingRouteText(unrouted);
  const [refusal] = refusals;
  if (refusal !== undefined) {
    const error = missing === undefined ? refusal.error : `${refusal.error}\n${missing}`;
    return { status: refusal.status, error };
  }
  if (unparsable.length === 0) {
    return missing === undefined ? undefined : { status: 400, error: `partial write: ${missing}` };
  }
  const parts = missing === undefined ? unparsable : [...unparsable, missing];
  if (missing !== undefined) return { status: 400, error: `partial write: ${parts.join('\n')}` };
  const text = parts.join('\n');
  return { status: 400, error: routed === 0 ? text : `partial write: ${text} dropped=0` };
}

/** Names the measurements (the first few of them) that no keymap routes, with InfluxDB's count of lost points. */
function missingRouteText({
  points,
  measurements,
}: RequestOutcome['unrouted']): string | undefined {
  if (points === 0) return undefined;
  const names = [...measurements].slice(0, 10).map((name) => JSON.stringify(name));
  const more = measurements.size - names.length;
  const others = more > 0 ? ` and ${more} more` : '';
  return `no route for measurement ${names.join(', ')}${others} dropped=${points}`;
}
