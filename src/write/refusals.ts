import type { Outcome } from '../backend/outcome.ts';
import { rangesOf } from './dead-points.ts';
import { type RefusedLines, STORED, type Verdict } from './verdict.ts';

export type Failure = Extract<Outcome, { kind: 'failed' }>;
/** The backend will not take all of the lines as they are. */
export type Rejection = Exclude<Outcome, { kind: 'stored' | 'failed' }>;
type Send = (payload: Buffer) => Promise<Outcome>;

/** `failed`: the backend stopped answering midway; what was sent before may be sent again. */
export type Search = ({ readonly kind: 'searched' } & Found) | Failure;

export interface Found {
  readonly refused: RefusedLines[];
  /** Points older than the retention policy: stored in time, InfluxDB would have dropped them by now. */
  expired: number;
}

/** Requests that one client's lines may cost while others wait behind them: a few bad lines among 10,000. */
const MAX_LIVE_REQUESTS = 100;
/** The same when the client has had points refused a moment ago: it may go on like that. */
const MAX_SUSPECT_REQUESTS = 16;

export function isRejection(outcome: Outcome): outcome is Rejection {
  return outcome.kind === 'refused' || outcome.kind === 'too large';
}

/** The verdict on lines that were refused as a whole, after looking for the refused ones among them. */
export async function judge(
  payload: Buffer,
  answer: Rejection,
  by: { readonly send: Send; readonly isSuspect: boolean },
): Promise<Verdict | Failure> {
  const maxRequests = by.isSuspect ? MAX_SUSPECT_REQUESTS : MAX_LIVE_REQUESTS;
  const search = await findRefused(payload, answer, { send: by.send, maxRequests });
  if (search.kind === 'failed') return search;
  const [first] = search.refused;
  if (first === undefined && search.expired === 0) return STORED;
  // The first answer counts every dropped point; those on the halves count only theirs.
  const { status, error } =
    answer.kind === 'refused' || first === undefined ? errorOf(answer) : first;
  return { kind: 'refused', status, error, lines: search.refused };
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
  const found: Found = { refused: [], expired: 0 };
  // Unsent pieces, the next one last, each with what was said of the piece that it was cut from.
  const pieces = halves(payload, answer, found);
  for (let requests = 0; ; requests++) {
    const piece = pieces.pop();
    if (piece === undefined) return { kind: 'searched', ...found };
    if (requests >= by.maxRequests) {
      found.refused.push(refusedLines(piece.payload, piece.answer));
      continue;
    }
    const outcome = await by.send(piece.payload);
    if (outcome.kind === 'failed') return outcome;
    if (isRejection(outcome)) pieces.push(...halves(piece.payload, outcome, found));
  }
}

interface Piece {
  readonly payload: Buffer;
  readonly answer: Rejection;
}

/** The second half, then the first; nothing when halving would tell nothing new: then the lines are added to `found`. */
function halves(payload: Buffer, answer: Rejection, found: Found): Piece[] {
  if (answer.kind === 'refused' && answer.scope === 'expired') {
    found.expired += droppedBy(answer) ?? 0;
    return [];
  }
  const lines = rangesOf(payload);
  if (refusesAll(answer, lines.length)) {
    found.refused.push(refusedLines(payload, answer));
    return [];
  }
  const [middle = 0] = lines[lines.length >> 1] ?? [];
  return [payload.subarray(middle), payload.subarray(0, middle)].map((half) => ({
    payload: half,
    answer,
  }));
}

/** A lone line, a limit of the database, or InfluxDB says that it dropped as many points as there are. */
function refusesAll(answer: Rejection, lines: number): boolean {
  if (lines <= 1) return true;
  if (answer.kind === 'too large') return false;
  return answer.scope === 'all' || droppedBy(answer) === lines;
}

/** The count of points with which InfluxDB's words end, or in 1.12 nearly end. Before it stand names that clients choose. */
function droppedBy({ error }: Rejection): number | undefined {
  const digits = / dropped=(\d+)(?: for database: .*)?$/s.exec(error)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function refusedLines(payload: Buffer, answer: Rejection): RefusedLines {
  return { payload, points: rangesOf(payload).length, ...errorOf(answer) };
}

function errorOf(answer: Rejection): { status: number; error: string } {
  const status = answer.kind === 'refused' ? answer.status : 413;
  return { status, error: answer.error };
}
