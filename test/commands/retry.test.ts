import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Retry } from '../../src/commands/retry.ts';
import type { BackendConfig } from '../../src/config/schema.ts';
import { systemClock } from '../../src/core/time.ts';
import { type DeadPoint, decodeDeadPoint, encodeDeadPoint } from '../../src/spill/dead-point.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { type Recorded, scriptedBackend, type Step } from '../support/scripted-backend.ts';

const REFUSAL = { status: 400, body: '{"error":"partial write: type conflict dropped=1"}' };

function entry(line: string, target: Partial<DeadPoint> = {}): string {
  const words = { timeMs: 0, error: 'old words', db: 'db', rp: '', precision: 'ns' };
  return encodeDeadPoint({ ...words, ...target, line: Buffer.from(line) }).trimEnd();
}

interface Tried {
  /** Of each request: db, rp, precision, body. */
  readonly requests: string[];
  /** What is kept: an unreadable line as it is; of an entry its words and its line. */
  readonly kept: string[];
  readonly retry: Retry;
}

async function retried(
  t: Cleanup,
  lines: readonly string[],
  answer: (request: Recorded) => Step,
  maxRowLimit = 100,
): Promise<Tried> {
  const server = await scriptedBackend(t, answer);
  const backend = { url: server.url, db: 'other', username: '', password: '', maxRowLimit };
  const times = { timeout: 5_000, timeoutQuery: 5_000 };
  const retry = new Retry({ ...backend, ...times } as BackendConfig, systemClock);
  const kept: string[] = [];
  for await (const line of retry.rewrite(buffers(lines))) {
    const point = decodeDeadPoint(line.toString());
    kept.push(point === undefined ? line.toString() : `${point.error}: ${point.line.toString()}`);
  }
  await retry.close();
  const requests = server.requests.map(({ query, body }) =>
    [query.get('db'), query.get('rp'), query.get('precision'), body].join('|'),
  );
  return { requests, kept, retry };
}

async function* buffers(lines: readonly string[]): AsyncIterable<Buffer> {
  for (const line of lines) yield await Promise.resolve(Buffer.from(line));
}

test('points that may share a request do, in their order, and go where they were refused', async (t) => {
  const lines = [
    entry('a v=1 1'),
    entry('a v=2 2', { rp: 'week' }),
    entry('a v=3 3'),
    entry('a v=4 4', { db: 'older' }),
    entry('a v=5 5', { precision: 's' }),
    entry('a v=6 6', { rp: 'week' }),
  ];
  const { requests, kept, retry } = await retried(t, lines, () => 204);
  assert.deepEqual(requests, [
    'db||ns|a v=1 1\na v=3 3\n',
    'db|week|ns|a v=2 2\na v=6 6\n',
    'older||ns|a v=4 4\n',
    'db||s|a v=5 5\n',
  ]);
  assert.deepEqual([kept, retry.stored], [[], 6]);
});

test('one request holds no more points than the configuration says', async (t) => {
  const lines = ['a v=1 1', 'a v=2 2', 'a v=3 3'].map((line) => entry(line));
  const { requests } = await retried(t, lines, () => 204, 2);
  assert.deepEqual(requests, ['db||ns|a v=1 1\na v=2 2\n', 'db||ns|a v=3 3\n']);
});

test('only what is refused again is kept, with the new words', async (t) => {
  const lines = ['a v=1 1', 'bad v=2 2', 'a v=3 3', 'bad v="x\ny" 4'].map((line) => entry(line));
  const { kept, retry } = await retried(t, lines, ({ body }) =>
    body.includes('bad') ? REFUSAL : 204,
  );
  const words = 'partial write: type conflict dropped=1';
  assert.deepEqual(kept, [`${words}: bad v=2 2`, `${words}: bad v="x\ny" 4`]);
  assert.deepEqual([retry.stored, retry.refused, retry.failure], [2, 2, undefined]);
});

test('what is too old for the retention policy is counted, and not kept', async (t) => {
  const error = 'partial write: points beyond retention policy dropped=1';
  const answer = { status: 400, body: JSON.stringify({ error }) };
  const lines = ['a v=1 1', 'a v=2 2'].map((line) => entry(line));
  const { kept, retry } = await retried(t, lines, () => answer);
  assert.deepEqual([kept, retry.expired, retry.stored], [[], 1, 1]);
});

test('what the server does not answer is kept as it is, and nothing more is sent', async (t) => {
  const lines = ['a', 'down', 'b', 'c'].map((name) => entry(`${name} v=1 1`));
  const { requests, kept, retry } = await retried(
    t,
    lines,
    ({ body }) => (body.includes('down') ? { status: 503, body: 'starting' } : 204),
    1,
  );
  assert.equal(requests.length, 2);
  assert.deepEqual(
    kept,
    ['down', 'b', 'c'].map((name) => `old words: ${name} v=1 1`),
  );
  assert.deepEqual([retry.stored, retry.unsent, retry.failure], [1, 3, 'status 503: starting']);

  // In the middle of the search for the refused ones.
  const midway = await retried(
    t,
    ['bad v=1 1', 'down v=1 1'].map((line) => entry(line)),
    ({ body }) => (body.startsWith('bad') ? REFUSAL : 500),
  );
  assert.deepEqual(midway.kept, ['old words: bad v=1 1', 'old words: down v=1 1']);
});

test('what is no dead letter is kept as it is', async (t) => {
  const odd = ['# a note', '{"error":"x"}', entry('a v=1 1').replace('1970', 'long ago')];
  const { kept, retry } = await retried(t, [...odd, entry('a v=1 1')], () => 204);
  assert.deepEqual(kept, odd);
  assert.deepEqual([retry.stored, retry.unreadable], [1, 3]);
});
