import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Outcome } from '../../src/backend/outcome.ts';
import { findRefused, judge, type Rejection } from '../../src/write/refusals.ts';

type Scope = Extract<Outcome, { kind: 'refused' }>['scope'];

function refused(error: string, scope: Scope = 'lines'): Rejection {
  return { kind: 'refused', status: 400, error, scope };
}

function body(points: number): Buffer {
  const lines = Array.from({ length: points }, (_, index) => `m,l=l${index} v=1 ${index}\n`);
  return Buffer.from(lines.join(''));
}

function linesIn(payload: Buffer): string[] {
  return payload.toString().split('\n').slice(0, -1);
}

/** A server that refuses bodies with a line that `isBad`, and notes what it was sent. */
function server(isBad: (line: string) => boolean, error = 'conflict dropped=0') {
  const sent: string[][] = [];
  const send = (payload: Buffer): Promise<Outcome> => {
    const lines = linesIn(payload);
    sent.push(lines);
    return Promise.resolve(lines.some(isBad) ? refused(error) : { kind: 'stored' });
  };
  return { sent, send };
}

test('the bad lines are found, the others stored, in few requests', async () => {
  const check = async (points: number, bad: number[], maxRequests: number): Promise<void> => {
    const badLines = bad.map((index) => `m,l=l${index} v=1 ${index}`);
    const { sent, send } = server((line) => badLines.includes(line));
    const search = await findRefused(body(points), refused('x'), { send, maxRefusals: Infinity });
    assert.ok(search.kind === 'searched');
    assert.deepEqual(
      search.refused.flatMap(({ payload }) => linesIn(payload)),
      badLines,
    );
    assert.ok(sent.length <= maxRequests, `${sent.length} requests`);
    const stored = sent.filter((lines) => !lines.some((line) => badLines.includes(line))).flat();
    assert.deepEqual(
      stored,
      linesIn(body(points)).filter((line) => !badLines.includes(line)),
      'each good line is stored once, in order',
    );
  };
  await check(1, [0], 0);
  await check(2, [0], 2);
  await check(2, [1], 2);
  await check(3, [0, 1, 2], 4);
  await check(10_000, [0], 30);
  await check(10_000, [9_999], 30);
  await check(10_000, [4_711], 30);
  await check(10_000, [17, 5_000, 5_001], 90);
});

test('of two lines for one point the later one is stored last, however their timestamps are written', async () => {
  const check = async (first: string, second: string): Promise<void> => {
    const { sent, send } = server((line) => line.startsWith('bad'));
    const payload = Buffer.from(`${first}\n${second}\nbad v=1 101\nm v=3 99\n`);
    await findRefused(payload, refused('x'), { send, maxRefusals: Infinity });
    const stored = sent.filter((lines) => !lines.some((line) => line.startsWith('bad'))).flat();
    const ofPoint = stored.filter((line) => line === first || line === second);
    assert.deepEqual([ofPoint[0], ofPoint.at(-1)], [first, second]);
  };
  await check('m v=1 100', 'm v=2 100');
  await check('m v=1 100', `m v=2 100${' '.repeat(40)}`);
  await check('m v=1 100', 'm v=2 \t100');
  await check('m v=1 100', 'm v=2 \0 100  ');
  await check('m v=1 100', `m v=2 ${'0'.repeat(40)}100`);
  await check('m v=1 -100', `m v=2 -${'0'.repeat(40)}100`);
});

test('what is sent in vain is not sent', async () => {
  const check = async (answer: Rejection, expired: number): Promise<void> => {
    const { sent, send } = server(() => true);
    const search = await findRefused(body(100), answer, { send, maxRefusals: Infinity });
    assert.ok(search.kind === 'searched');
    assert.equal(sent.length, 0, answer.error);
    assert.equal(search.expired, expired);
    const points = search.refused.reduce((sum, lines) => sum + lines.points, 0);
    assert.equal(points, expired === 0 ? 100 : 0);
  };
  await check(refused('retention policy not found: x', 'all'), 0);
  await check(refused('partial write: conflict dropped=100'), 0);
  await check(refused('partial write: points beyond retention policy dropped=7', 'expired'), 7);
});

test('a body that is too large is halved, whatever its text says', async () => {
  const sent: number[] = [];
  const send = (payload: Buffer): Promise<Outcome> => {
    const { length } = linesIn(payload);
    sent.push(length);
    return Promise.resolve(
      length > 3 ? { kind: 'too large', error: 'dropped=8' } : { kind: 'stored' },
    );
  };
  const tooLarge: Rejection = { kind: 'too large', error: 'dropped=8' };
  assert.deepEqual(await judge(body(8), tooLarge, send), {
    kind: 'stored',
  });
  assert.deepEqual(sent, [4, 2, 2, 4, 2, 2]);
  const verdict = await judge(body(1), tooLarge, send);
  assert.ok(verdict.kind === 'refused');
  assert.equal(verdict.status, 413);
});

test('the client is told the first answer, which counts all that was dropped', async () => {
  const { send } = server((line) => line.includes('=l3 '), 'of a piece dropped=0');
  const verdict = await judge(body(8), refused('of the whole dropped=1'), send);
  assert.ok(verdict.kind === 'refused');
  assert.equal(verdict.error, 'of the whole dropped=1');
  assert.equal(verdict.lines[0]?.error, 'of a piece dropped=0');
});

test('a search ends when the backend does, and after too many refusals', async () => {
  let requests = 0;
  const failing = (): Promise<Outcome> => {
    requests += 1;
    return Promise.resolve(requests < 3 ? refused('x') : { kind: 'failed', reason: 'gone' });
  };
  assert.deepEqual(await judge(body(100), refused('x'), failing), {
    kind: 'failed',
    reason: 'gone',
  });

  const { sent, send } = server(() => true);
  const search = await findRefused(body(100), refused('x'), { send, maxRefusals: 10 });
  assert.equal(sent.length, 10);
  assert.ok(search.kind === 'searched');
  assert.deepEqual(
    search.refused.flatMap(({ payload }) => linesIn(payload)),
    linesIn(body(100)),
    'what was not looked into counts as refused',
  );
});
