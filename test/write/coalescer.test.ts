import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Budget } from '../../src/core/budget.ts';
import type { Batch } from '../../src/write/batch.ts';
import { Coalescer, type Delivery, type Destination } from '../../src/write/coalescer.ts';
import { STORED, type Verdict } from '../../src/write/verdict.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { COMPRESSOR, partOf, TARGET } from './parts.ts';

/** A backend that notes what it gets and answers when the test says so. */
class Inbox implements Destination {
  readonly detachment: { readonly isDetached: boolean };
  readonly gzip: boolean;
  readonly batches: string[] = [];
  readonly taken: Batch[] = [];
  readonly #open: { answer: (verdicts: readonly Verdict[]) => void; batch: Batch }[] = [];

  constructor(gzip = true, isDetached = false) {
    this.gzip = gzip;
    this.detachment = { isDetached };
  }

  deliver(batch: Batch): Delivery {
    this.taken.push(batch);
    this.batches.push(batch.parts.map(({ payload }) => payload.toString().split(' ')[0]).join('+'));
    const verdicts = new Promise<readonly Verdict[]>((answer) => {
      this.#open.push({ answer, batch });
    });
    return { verdicts, released: verdicts.then(() => undefined) };
  }

  /** Answers the oldest batch. */
  answer(verdict: Verdict = STORED): void {
    const first = this.#open.shift();
    assert.ok(first !== undefined, 'nothing to answer');
    first.answer(first.batch.parts.map(() => verdict));
  }
}

function open(maxPoints = 10, maxWaitMs = 1_000, fast = new Inbox()) {
  const clock = new FakeClock();
  const budget = new Budget(1_000_000);
  const slow = new Inbox(false);
  const seen = { idle: 0 };
  const coalescer = new Coalescer(
    {
      ...{ target: TARGET, destinations: [fast, slow], maxPoints, maxWaitMs },
      compressor: COMPRESSOR,
      onIdle: () => (seen.idle += 1),
    },
    clock,
    budget,
  );
  return { clock, budget, fast, slow, coalescer, seen };
}

/** What was added has left, if nothing keeps it: the turn after that of an answer, and one that brought nothing new. */
async function gathered(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await turn();
}

test('an idle one sends at once, a busy one when the fastest backend has answered', async () => {
  const { fast, slow, coalescer } = open();
  void coalescer.add(partOf('a'));
  await gathered();
  assert.deepEqual(fast.batches, ['a']);
  for (const name of ['b', 'c']) void coalescer.add(partOf(name));
  await gathered();
  assert.deepEqual(fast.batches, ['a']);
  fast.answer();
  await gathered();
  assert.deepEqual(fast.batches, ['a', 'b+c']);
  void coalescer.add(partOf('d'));
  slow.answer(); // a, which another has answered before: tells nothing about b+c
  await gathered();
  assert.deepEqual(fast.batches, ['a', 'b+c']);
  fast.answer();
  await gathered();
  assert.deepEqual(fast.batches, ['a', 'b+c', 'd']);
  assert.deepEqual(slow.batches, fast.batches);
});

test('what comes in turns of the event loop that follow one another leaves together, without a timer', async () => {
  const { clock, fast, coalescer } = open();
  for (const name of ['a', 'b', 'c']) void coalescer.add(partOf(name));
  assert.equal(clock.pending, 0);
  await turn();
  assert.deepEqual(fast.batches, []);
  void coalescer.add(partOf('d'));
  await gathered();
  assert.deepEqual(fast.batches, ['a+b+c+d']);
});

test('clients that do not stop hold up nobody for more than some turns', async () => {
  const { fast, coalescer } = open(100);
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    assert.deepEqual(fast.batches, [], name);
    void coalescer.add(partOf(name));
    await turn();
    if (fast.batches.length > 0) break;
  }
  assert.deepEqual(fast.batches, ['a+b+c+d+e']);
});

test('a full batch leaves at once, and none holds more than its limit', async () => {
  const { fast, coalescer } = open(5);
  void coalescer.add(partOf('a'));
  await gathered();
  for (const [name, points] of [
    ['b', 2],
    ['c', 2],
    ['d', 1],
    ['e', 4],
    ['f', 3],
    ['g', 9],
  ] as const) {
    void coalescer.add(partOf(name, points));
  }
  assert.deepEqual(fast.batches, ['a', 'b+c+d', 'e', 'f', 'g']);
});

test('a batch holds no more bytes than a server takes soon', async () => {
  const { fast, coalescer } = open();
  void coalescer.add(partOf('a'));
  await gathered();
  for (const name of ['b', 'c', 'd']) {
    void coalescer.add({ ...partOf(name), payload: Buffer.alloc(3 * 1024 * 1024, `${name} `) });
  }
  assert.deepEqual(fast.batches, ['a', 'b+c']);
});

test('nobody waits longer than the interval', async () => {
  const { clock, fast, coalescer } = open(10, 1_000);
  void coalescer.add(partOf('a'));
  await gathered();
  void coalescer.add(partOf('b'));
  await clock.advance(600);
  void coalescer.add(partOf('c'));
  await clock.advance(399);
  assert.deepEqual(fast.batches, ['a']);
  await clock.advance(1);
  assert.deepEqual(fast.batches, ['a', 'b+c']);
  assert.equal(clock.pending, 0);
});

test('each part gets its own verdict of every backend, once all have answered', async () => {
  const { clock, fast, slow, coalescer, budget, seen } = open();
  const first = coalescer.add(partOf('a'));
  await gathered();
  const second = coalescer.add(partOf('b'));
  fast.answer();
  await gathered();
  let isSettled = false;
  void first.then(() => {
    isSettled = true;
  });
  await clock.advance(0);
  assert.ok(!isSettled, 'one backend has not answered');
  slow.answer({ kind: 'spilled' });
  assert.deepEqual(await first, [STORED, { kind: 'spilled' }]);
  assert.equal(seen.idle, 0);
  assert.ok(budget.used > 0);
  fast.answer({ kind: 'refused', status: 400, error: 'x', lines: [] });
  slow.answer();
  assert.deepEqual(
    (await second).map(({ kind }) => kind),
    ['refused', 'stored'],
  );
  await clock.advance(0);
  assert.equal(seen.idle, 1, 'it can be forgotten');
  assert.equal(budget.used, 0);
});

test('large parts are compressed by themselves as they come, small ones together, all in their order', async () => {
  const parts = [1, 9_000, 2, 3, 8_000, 9_000, 4].map((points, at) => partOf(`m${at}`, points));
  const text = Buffer.concat(parts.map(({ payload }) => payload)).toString();
  const batchTo = async (fast: Inbox): Promise<Batch> => {
    const { coalescer } = open(100_000, 1_000, fast);
    for (const part of parts) void coalescer.add(part);
    await gathered();
    const [batch] = fast.taken;
    assert.ok(batch !== undefined);
    assert.equal(gunzipSync(await batch.gzipped()).toString(), text);
    return batch;
  };
  const early = (batch: Batch): boolean[] =>
    batch.parts.map(({ gzipped }) => gzipped !== undefined);
  const isLarge = [false, true, false, false, true, true, false];
  assert.deepEqual(early(await batchTo(new Inbox())), isLarge);
  // No backend of the route wants it.
  isLarge.fill(false);
  assert.deepEqual(early(await batchTo(new Inbox(false))), isLarge);
  assert.deepEqual(early(await batchTo(new Inbox(true, true))), isLarge);
});
