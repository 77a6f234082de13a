import { codeOf, messageOf } from '../core/errors.ts';

/** What one answer of a backend to a write means for the points in it. */
export type Outcome =
  /** 204, and only that: every point of the body is stored. */
  | { readonly kind: 'stored' }
  /** These bytes will never be taken; part of the body may have been stored. `error` is the backend's own text. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly error: string;
      readonly scope: Scope;
    }
  /** 413: the body is larger than the backend takes; its halves may fit. */
  | { readonly kind: 'too large'; readonly error: string }
  /** Not stored, or not known to be: keep the points and try again. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number };

/**
 * What a refusal is about. `lines`: some lines, of which the text names one. `all`: the database's limits or policies, so
 * that sending fewer lines changes nothing. `expired`: points older than the retention policy; all others are stored.
 * `once`: a name that is not UTF-8; influxd 1.6.7 fails over the first one in each shard, and takes it when it comes again.
 */
export type Scope = 'lines' | 'all' | 'expired' | 'once';

/** What one answer of a backend to a statement that changes data means. `body` is InfluxDB's JSON. */
export type StatementOutcome =
  | { readonly kind: 'done'; readonly body: string }
  /** The statement itself cannot be run; running it again would not help. */
  | { readonly kind: 'refused'; readonly status: number; readonly body: string }
  | Extract<Outcome, { kind: 'failed' }>;

/**
 * How an error of a statement begins that is about the server: it is closing down, or has too much to do. The same statement is
 * right elsewhere, or later. From influxd 1.6.7: query/executor.go, tsdb/shard.go.
 */
export const SERVER_ERRORS: readonly string[] = [
  'query engine shutdown',
  'engine is closed',
  'shard is disabled',
  'max-concurrent-queries limit exceeded',
];

export function isServerError(error: string): boolean {
  return SERVER_ERRORS.some((own) => error.startsWith(own));
}

/** A statement that fails is a 200 with an `error` in its result; one that does not parse is a 400. */
export function statementOutcomeOf(status: number, body: string): StatementOutcome {
  if (status === 400) return { kind: 'refused', status, body };
  if (status !== 200) {
    const error = errorTextOf(body);
    return {
      kind: 'failed',
      reason: error === '' ? `status ${status}` : `status ${status}: ${error}`,
    };
  }
  // The answer to a statement that changes data holds no data that could look like an error.
  const [, error] = /"error":"([^"]*)/.exec(body) ?? [];
  if (error === undefined) return { kind: 'done', body };
  return isServerError(error)
    ? { kind: 'failed', reason: error }
    : { kind: 'refused', status, body };
}

export interface WriteAnswer {
  readonly status: number;
  /** The `Retry-After` header as it came. */
  readonly retryAfter: string | undefined;
  /** The body's text, at most some KiB of it. */
  readonly body: string;
}

/**
 * Decided by status and text, for InfluxDB 1.6 to 1.12. When in doubt the points are kept: a 401 or a missing database
 * is for an operator to mend, a 5xx for time. An unknown retention policy is a 500 on 1.6.7 although it is the client's
 * fault: retried, it would hold up everybody's replay for ever. So is a name that is not UTF-8: taken for an outage, it would
 * keep the reads of all from this replica.
 */
export function outcomeOf(answer: WriteAnswer, now: number): Outcome {
  const { status } = answer;
  if (status === 204) return { kind: 'stored' };
  const error = errorTextOf(answer.body);
  if (status === 413) return { kind: 'too large', error };
  if (status === 400 || status === 422) {
    return { kind: 'refused', status, error, scope: scopeOf(error) };
  }
  if (status === 500 && error.includes('retention policy not found')) {
    return { kind: 'refused', status, error, scope: 'all' };
  }
  if (status === 500 && /^proto: .* contains invalid UTF-8$/s.test(error)) {
    return { kind: 'refused', status, error, scope: 'once' };
  }
  const reason = error === '' ? `status ${status}` : `status ${status}: ${error}`;
  const retryAfterMs = retryAfterMsOf(answer.retryAfter, now);
  return retryAfterMs === undefined
    ? { kind: 'failed', reason }
    : { kind: 'failed', reason, retryAfterMs };
}

/**
 * No answer came, or none that can be read. influxd up to 1.8 copies raw bytes of a refused line into the header
 * `X-Influxdb-Error`, which a strict HTTP parser cannot accept: that is a refusal, and sending the line again
 * would only repeat it. undici leaves the parser's code (HPE_INVALID_HEADER_TOKEN) undefined, so its words decide.
 */
export function outcomeOfFailure(error: unknown): Outcome {
  if (messageOf(error).includes('Invalid header value char')) {
    return {
      kind: 'refused',
      status: 400,
      error: 'partial write: the points hold bytes that the server refused and could not report',
      scope: 'lines',
    };
  }
  return { kind: 'failed', reason: codeOf(error) ?? messageOf(error) };
}

/**
 * By the words of influxd 1.6 to 1.11, and of 1.12, which counts the dropped points in the middle of the sentence. From
 * the first word on, because other refusals repeat names that clients have chosen.
 */
function scopeOf(error: string): Scope {
  const said = error.replace(/^partial write: /, '');
  if (/^(points? beyond|dropped \d+ points? outside) retention policy/.test(said)) return 'expired';
  if (/^(retention policy not found|max-series-per-database)/.test(said)) return 'all';
  return 'lines';
}

/** The `error` of InfluxDB's JSON body, or the whole text of anything else, trimmed. */
export function errorTextOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) {
      return String(parsed.error);
    }
  } catch {
    // Not JSON: a load balancer's page or influxd's plain 503.
  }
  return body.trim();
}

/** A longer wait is a load balancer's page more often than a wish, and keeps a replica from catching up. */
const MAX_RETRY_AFTER_MS = 60_000;

/** `Retry-After` is whole seconds or an HTTP date; anything else counts as absent. Milliseconds from `now`. */
export function retryAfterMsOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined;
}
