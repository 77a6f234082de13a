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

/** Requests that one client's lines may cost while others wait behind them: a few bad lines among 10,000. */
const MAX_LIVE_REQUESTS = 100;

export function isRejection(outcome: Outcome): outcome is Rejection {
  return outcome.kind === 'refused' || outcome.kind === 'too large';
}

/** The verdict on lines that were refused as a whole, after looking for the refused ones among them. */
export async function judge(
  payload: Buffer,
  answer: Rejection,
  send: Send,
): Promise<Verdict | Failure> {
  const search = await findRefused(payload, answer, { send, maxRequests: MAX_LIVE_REQUESTS });
  if (search.kind === 'failed') return search;
  const [first] = search.refused;
  if (first === undefined) return STORED;
  // The first answer counts every dropped point; those on the halves count only theirs.
  const error = answer.kind === 'refused' ? answer.error : first.error;
  return { kind: 'refused', status: first.status, error, lines: search.refused };
}

/**
 * Halves lines that a backend has refused until each piece is stored, or refused as a whole: only a 204 proves that lines
 * are stored, because influxd names the first failing shard only. One bad line in n costs about 2 log2(n) requests. From
 * the first line to the last, because a later line may write the same point again. When `maxRequests` are spent, what is
 * left of a refused piece counts as refused.
 */
export async function findRefused(
  payload: Buffer,
  answer: Rejection,
  by: { readonly send: Send; readonly maxRequests: number },
): Promise<Search> {
  const refused: RefusedLines[] = [];
  // Unsent pieces, the next one last, each with what was said of the piece that it was cut from.
  const pieces = halves(payload, answer, refused);
  for (let requests = 0; ; requests++) {
    const piece = pieces.pop();
    if (piece === undefined) return { kind: 'searched', refused };
    if (requests >= by.maxRequests) {
      refused.push(refusedLines(piece.payload, piece.answer));
      continue;
    }
    const outcome = await by.send(piece.payload);
    if (outcome.kind === 'failed') return outcome;
    if (isRejection(outcome)) pieces.push(...halves(piece.payload, outcome, refused));
  }
}

interface Piece {
  readonly payload: Buffer;
  readonly answer: Rejection;
}

/** The second half, then the first; nothing when all of the lines are refused, which are added to `refused` then. */
function halves(payload: Buffer, answer: Rejection, refused: RefusedLines[]): Piece[] {
  const lines = rangesOf(payload);
  if (refusesAll(answer, lines.length)) {
    refused.push(refusedLines(payload, answer));
    return [];
  }
  const [middle = 0] = lines[lines.length >> 1] ?? [];
  return [payload.subarray(middle), payload.subarray(0, middle)].map((half) => ({
    payload: half,
    answer,
  }));
}

/**
 * Nothing would come of halving. Unknown policies and limits depend on the database and not on a line; points beyond the
 * retention policy are refused by the clock; and sometimes InfluxDB says that it dropped as many points as there are.
 */
function refusesAll(answer: Rejection, lines: number): boolean {
  if (lines <= 1) return true;
  if (answer.kind === 'too large') return false;
  if (/retention policy|max-series-per-database/.test(answer.error)) return true;
  return Number(/ dropped=(\d+)/.exec(answer.error)?.[1]) === lines;
}

function refusedLines(payload: Buffer, answer: Rejection): RefusedLines {
  const status = answer.kind === 'refused' ? answer.status : 413;
  return { payload, points: rangesOf(payload).length, status, error: answer.error };
}
