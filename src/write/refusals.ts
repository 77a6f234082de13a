import type { Outcome } from '../backend/outcome.ts';
import { joined } from '../core/buffers.ts';
import { isDigit, MINUS, NEWLINE, SPACE } from '../lineprotocol/bytes.ts';
import { droppedBy, type Line, linesOf, namedLines, unparsableLines } from './culprits.ts';
import { type RefusedLines, STORED, type Verdict } from './verdict.ts';

export type Failure = Extract<Outcome, { kind: 'failed' }>;
/** The backend will not take all of the lines as they are. */
export type Rejection = Exclude<Outcome, { kind: 'stored' | 'failed' }>;
type Send = (payload: Buffer) => Promise<Outcome>;

/** `failed`: the backend stopped answering midway; what was sent before may be sent again. */
export type SearchResult = ({ readonly kind: 'searched' } & Found) | Failure;

export interface Found {
  readonly refused: readonly RefusedLines[];
  /** Points older than the retention policy: stored in time, InfluxDB would have dropped them by now. */
  readonly expired: number;
  /** False: the search was cut short, so that there may be good lines among the refused ones. */
  readonly isExact: boolean;
}

/**
 * Refusals of one client's lines while others wait behind them: enough for a few bad lines among 10,000, and for all of a
 * small part, of which then no good line counts as refused.
 */
const MAX_LIVE_REFUSALS = 32;

/** Kinds of faults that are taken out of a piece before it is halved: each time all of the others are sent again. */
const MAX_KINDS = 8;

export function isRejection(outcome: Outcome): outcome is Rejection {
  return outcome.kind === 'refused' || outcome.kind === 'too large';
}

/** The verdict on lines that were refused as a whole, after looking for the refused ones among them. */
export async function judge(
  payload: Buffer,
  answer: Rejection,
  send: Send,
): Promise<Verdict | Failure> {
  const search = await findRefused(payload, answer, { send, maxRefusals: MAX_LIVE_REFUSALS });
  if (search.kind === 'failed') return search;
  const [first] = search.refused;
  if (first === undefined && search.expired === 0) return STORED;
  // The first answer counts every dropped point; those on the pieces count only theirs.
  const { status, error } =
    answer.kind === 'refused' || first === undefined ? errorOf(answer) : first;
  return { kind: 'refused', status, error, lines: search.refused };
}

/**
 * Cuts lines that a backend has refused into pieces until each piece is stored, or refused as a whole: only a 204 proves
 * that lines are stored, because influxd names the first failing shard only. Lines that the words of the refusal are about
 * are one piece, which costs two requests for each kind of fault; else a piece is halved: one bad line in n costs about
 * 2 log2(n) requests. After `maxRefusals`, each of which costs about two requests, what is left of a refused piece counts as
 * refused. Pieces that are only too large do not count: what fits into a request is known in the end.
 */
export async function findRefused(
  payload: Buffer,
  answer: Rejection,
  by: { readonly send: Send; readonly maxRefusals: number },
): Promise<SearchResult> {
  return new Search(payload, by).run(answer);
}

class Search {
  readonly #refused: RefusedLines[] = [];
  #expired = 0;
  #refusals = 0;
  #isExact = true;
  readonly #payload: Buffer;
  readonly #send: Send;
  readonly #maxRefusals: number;

  constructor(payload: Buffer, by: { readonly send: Send; readonly maxRefusals: number }) {
    this.#payload = payload;
    this.#send = by.send;
    this.#maxRefusals = by.maxRefusals;
  }

  async run(answer: Rejection): Promise<SearchResult> {
    const failure = await this.#cut(byTime(this.#payload, linesOf(this.#payload)), answer);
    if (failure !== undefined) return failure;
    const [refused, expired, isExact] = [this.#refused, this.#expired, this.#isExact];
    return { kind: 'searched', refused, expired, isExact };
  }

  /** `said`: of the piece that these lines were cut from. */
  async #try(
    lines: readonly Line[],
    said: Rejection,
    kinds = MAX_KINDS,
  ): Promise<Failure | undefined> {
    const outcome = await this.#request(lines);
    if (outcome === undefined) this.#refuse(lines, said);
    else if (outcome.kind === 'failed') return outcome;
    else if (isRejection(outcome)) return this.#cut(lines, outcome, kinds);
    return undefined;
  }

  /** Undefined when there were too many refusals. */
  async #request(lines: readonly Line[]): Promise<Outcome | undefined> {
    if (this.#refusals === this.#maxRefusals) {
      this.#isExact = false;
      return undefined;
    }
    const outcome = await this.#send(this.#join(lines));
    const isRefusal =
      outcome.kind === 'refused' || (outcome.kind === 'too large' && lines.length === 1);
    if (isRefusal) this.#refusals += 1;
    return outcome;
  }

  async #cut(
    lines: readonly Line[],
    answer: Rejection,
    kinds = MAX_KINDS,
  ): Promise<Failure | undefined> {
    if (answer.kind === 'refused' && answer.scope === 'expired') {
      this.#expired += droppedBy(answer.error) ?? 0;
    } else if (this.#refusesAll(answer, lines)) {
      this.#refuse(lines, answer);
    } else {
      return this.#divide(lines, answer, kinds);
    }
    return undefined;
  }

  async #divide(
    lines: readonly Line[],
    answer: Rejection,
    kinds: number,
  ): Promise<Failure | undefined> {
    const named = kinds === 0 ? [] : namedLines(answer.error, this.#payload, lines);
    if (named.length > 0 && named.length < lines.length) {
      const outcome = await this.#request(named);
      if (outcome?.kind === 'failed') return outcome;
      if (outcome !== undefined && isRejection(outcome) && this.#refusesAll(outcome, named)) {
        this.#refuse(named, outcome);
        return this.#try(without(lines, named), answer, kinds - 1);
      }
      // They went before the others, and some are stored now: all are sent once more, in their order.
    }
    const middle = lines.length >> 1;
    const failure = await this.#try(lines.slice(0, middle), answer);
    return failure ?? this.#try(lines.slice(middle), answer);
  }

  /** A lone line, a limit of the database, or InfluxDB says that it dropped, or cannot parse, as many as there are. */
  #refusesAll(answer: Rejection, lines: readonly Line[]): boolean {
    if (lines.length <= 1) return true;
    if (answer.kind === 'too large') return false;
    const { scope, error } = answer;
    if (scope === 'all' || droppedBy(error) === lines.length) return true;
    return unparsableLines(error, this.#payload, lines).length === lines.length;
  }

  #refuse(lines: readonly Line[], answer: Rejection): void {
    const said = errorOf(answer);
    for (const { start, end, count } of runsOf(lines)) {
      this.#refused.push({ payload: this.#payload.subarray(start, end), points: count, ...said });
    }
  }

  #join(lines: readonly Line[]): Buffer {
    return joined(runsOf(lines).map(({ start, end }) => this.#payload.subarray(start, end)));
  }
}

function without(lines: readonly Line[], others: readonly Line[]): readonly Line[] {
  const left = new Set(lines);
  for (const other of others) left.delete(other);
  return [...left];
}

interface Run {
  readonly start: number;
  end: number;
  count: number;
}

/** Lines that touch, taken together. */
function runsOf(lines: readonly Line[]): readonly Run[] {
  const runs: Run[] = [];
  for (const { start, end } of lines) {
    const last = runs.at(-1);
    if (last?.end === start) {
      last.end = end;
      last.count += 1;
    } else {
      runs.push({ start, end, count: 1 });
    }
  }
  return runs;
}

/**
 * Older lines first, because InfluxDB drops points, and counts them, shard by shard, and a shard is a range of time. Two
 * lines for one point have the same time, so that they keep their order.
 */
function byTime(payload: Buffer, lines: readonly Line[]): readonly Line[] {
  return lines
    .map((line) => ({ line, time: timeOf(payload.subarray(line.start, line.end)) }))
    .sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0))
    .map(({ line }) => line);
}

/** What stands at the end of a line: before it may be zeros and any white space, behind it blanks. */
function timeOf(line: Buffer): bigint {
  let end = line.length;
  while (line[end - 1] === NEWLINE || line[end - 1] === SPACE) end -= 1;
  let start = end;
  while (isDigit(line[start - 1])) start -= 1;
  if (start === end) return 0n;
  return BigInt(line.toString('latin1', line[start - 1] === MINUS ? start - 1 : start, end));
}

function errorOf(answer: Rejection): { status: number; error: string } {
  const status = answer.kind === 'refused' ? answer.status : 413;
  return { status, error: answer.error };
}
