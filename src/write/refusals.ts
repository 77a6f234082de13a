import type { Outcome } from '../backend/outcome.ts';
import { rangesOf } from './dead-points.ts';
import { type RefusedLines, STORED, type Verdict } from './verdict.ts';

export type Failure = Extract<Outcome, { kind: 'failed' }>;
/** The backend will not take all of the lines as they are. */
export type Rejection = Exclude<Outcome, { kind: 'stored' | 'failed' }>;
type Send = (payload: Buffer) => Promise<Outcome>;

/** `failed`: the backend stopped answering midway; what was sent before may be sent again. */
export type Search =
  { readonly kind: 'searched'; readonly refused: readonly RefusedLines[] } | Failure;

export function isRejection(outcome: Outcome): outcome is Rejection {
  return outcome.kind === 'refused' || outcome.kind === 'too large';
}

/** The verdict on lines that were refused as a whole, after looking for the refused ones among them. */
export async function judge(
  payload: Buffer,
  answer: Rejection,
  send: Send,
): Promise<Verdict | Failure> {
  const search = await findRefused(payload, answer, send);
  if (search.kind === 'failed') return search;
  const [first] = search.refused;
  if (first === undefined) return STORED;
  // The first answer counts every dropped point; those on the halves count only theirs.
  const error = answer.kind === 'refused' ? answer.error : first.error;
  return { kind: 'refused', status: first.status, error, lines: search.refused };
}

/**
 * Halves lines that a backend has refused until each piece is stored or a single line: only a 204 proves that lines are
 * stored, because influxd names the first failing shard only. One bad line in n costs about 2 log2(n) requests.
 */
export async function findRefused(payload: Buffer, answer: Rejection, send: Send): Promise<Search> {
  const lines = rangesOf(payload);
  if (lines.length <= 1 || refusesWhole(answer)) {
    return { kind: 'searched', refused: [refusedLines(payload, lines.length, answer)] };
  }
  const [middle = 0] = lines[lines.length >> 1] ?? [];
  const refused: RefusedLines[] = [];
  for (const half of [payload.subarray(0, middle), payload.subarray(middle)]) {
    const outcome = await send(half);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'stored') continue;
    const search = await findRefused(half, outcome, send);
    if (search.kind === 'failed') return search;
    refused.push(...search.refused);
  }
  return { kind: 'searched', refused };
}

/**
 * These refusals depend on the database or on the clock, not on one line: halving would only repeat them. Points beyond
 * the retention policy have been dropped and the others stored; an unknown policy takes nothing.
 */
function refusesWhole(answer: Rejection): boolean {
  if (answer.kind === 'too large') return false;
  return /retention policy|max-series-per-database/.test(answer.error);
}

function refusedLines(payload: Buffer, points: number, answer: Rejection): RefusedLines {
  const status = answer.kind === 'refused' ? answer.status : 413;
  return { payload, points, status, error: answer.error };
}
