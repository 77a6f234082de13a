import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  errorTextOf,
  outcomeOf,
  outcomeOfFailure,
  retryAfterMsOf,
  type Scope,
} from '../../src/backend/outcome.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function json(error: string): string {
  return `${JSON.stringify({ error })}\n`;
}

test('only a 204 is stored; in doubt the points are kept', () => {
  const check = (status: number, error: string, expected: string): void => {
    const answer = { status, retryAfter: undefined, body: error === '' ? '' : json(error) };
    assert.equal(outcomeOf(answer, NOW).kind, expected, `${status} ${error}`);
  };
  check(204, '', 'stored');
  check(200, '', 'failed');
  check(202, '', 'failed');
  check(301, '', 'failed');

  check(400, 'partial write: field type conflict', 'refused');
  check(400, '', 'refused');
  check(422, 'unprocessable', 'refused');
  check(413, 'Request Entity Too Large', 'too large');
  check(500, 'retention policy not found: x', 'refused');
  check(500, 'proto: field "tsdb.Field.Name" contains invalid UTF-8', 'refused');

  check(401, 'authorization failed', 'failed');
  check(403, 'not authorized', 'failed');
  check(404, 'database not found: "x"', 'failed');
  check(405, '', 'failed');
  check(408, '', 'failed');
  check(429, '', 'failed');
  check(500, 'timeout', 'failed');
  check(500, 'engine: cache-max-memory-size exceeded: (1/2)', 'failed');
  check(500, 'contains invalid UTF-8', 'failed');
  check(502, '', 'failed');
  check(503, 'request throttled, queue full', 'failed');
});

test('what a refusal is about is told by its own words, not by names that a client chose', () => {
  const check = (error: string, expected: Scope): void => {
    const outcome = outcomeOf({ status: 400, retryAfter: undefined, body: json(error) }, NOW);
    assert.ok(outcome.kind === 'refused');
    assert.equal(outcome.scope, expected, error);
  };
  check('partial write: points beyond retention policy dropped=2', 'expired');
  check(
    'partial write: dropped 2 points outside retention policy of duration 24h0m0s - oldest point m at 1970 dropped=2',
    'expired',
  );
  check('partial write: max-series-per-database limit exceeded: (3) dropped=1', 'all');
  check('retention policy not found: x', 'all');
  check(
    'partial write: max-values-per-tag limit exceeded (7/5): measurement="m" dropped=1',
    'lines',
  );
  check("unable to parse 'm': missing fields", 'lines');

  const conflict = (name: string): string =>
    `partial write: field type conflict: input field "v" on measurement "${name}" is type string, already exists as type float dropped=1`;
  check(conflict('m'), 'lines');
  check(conflict('points beyond retention policy'), 'lines');
  check(conflict('dropped 1 points outside retention policy'), 'lines');
  check(conflict('max-series-per-database'), 'lines');
  check(conflict('retention policy not found'), 'lines');
});

test('a failure tells its reason and how long to wait', () => {
  const check = (status: number, retryAfter: string | undefined, expected: object): void => {
    assert.deepEqual(outcomeOf({ status, retryAfter, body: json('x') }, NOW), expected);
  };
  check(503, undefined, { kind: 'failed', reason: 'status 503: x' });
  check(503, '2', { kind: 'failed', reason: 'status 503: x', retryAfterMs: 2_000 });
  check(400, '2', { kind: 'refused', status: 400, error: 'x', scope: 'lines' });
});

test('Retry-After is seconds or a date, a minute at most', () => {
  const check = (header: string | undefined, expected: number | undefined): void => {
    assert.equal(retryAfterMsOf(header, NOW), expected, header);
  };
  check('1', 1_000);
  check(' 30 ', 30_000);
  check('Thu, 01 Jan 2026 00:00:05 GMT', 5_000);

  // Absent, or as good as that
  check(undefined, undefined);
  check('', undefined);
  check('0', undefined);
  check('-1', undefined);
  check('soon', undefined);
  check('Wed, 31 Dec 2025 23:59:59 GMT', undefined);

  // More than a timer can hold
  check('60', 60_000);
  check('3601', 60_000);
  check('99999999', 60_000);
  check('9'.repeat(400), 60_000);
  check('Fri, 01 Jan 2100 00:00:00 GMT', 60_000);
});

test('the text of an error is JSON, or whatever a load balancer says', () => {
  const check = (body: string, expected: string): void => {
    assert.equal(errorTextOf(body), expected);
  };
  check(json('a "quoted" text'), 'a "quoted" text');
  check('request throttled, queue full\n', 'request throttled, queue full');
  check('<html>', '<html>');
  check('', '');
  check('null', 'null');
  check('[1]', '[1]');
  check('{"message":"x"}', '{"message":"x"}');
  check('{"error":', '{"error":');
});

test('no answer is a failure, but raw bytes in a header are a refusal', () => {
  const check = (error: unknown, expected: string): void => {
    const outcome = outcomeOfFailure(error);
    assert.equal(outcome.kind === 'failed' ? outcome.reason : outcome.kind, expected);
  };
  check(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED');
  check(new Error('no answer within 10 ms'), 'no answer within 10 ms');
  check('text', 'text');
  check(new Error('does not match HTTP/1.1 (Invalid header value char)'), 'refused');
  check(
    new Error('does not match HTTP/1.1 (Expected HTTP/)'),
    'does not match HTTP/1.1 (Expected HTTP/)',
  );
});
