import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Health } from '../../src/backend/health.ts';
import type { WriteBody } from '../../src/backend/influxdb.ts';
import type { Outcome } from '../../src/backend/outcome.ts';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import { Spill } from '../../src/spill/spill.ts';
import { Batch } from '../../src/write/batch.ts';
import { Sender } from '../../src/write/sender.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';
import { neverDetached } from '../support/never-detached.ts';
import { COMPRESSOR, partOf, TARGET } from './parts.ts';

const REFUSED: Outcome = { kind: 'refused', status: 400, error: 'no', scope: 'lines' };

interface Request {
  readonly body: string;
  readonly answer: (outcome: Outcome) => void;
}

interface Bench {
  readonly sender: Sender;
  readonly spill: Spill;
  /** What was sent, each waiting for its answer. */
  readonly requests: Request[];
  /** The kinds of the verdicts, once there are some. */
  readonly deliver: (name: string, points?: number) => { kinds?: string[] };
}

/** A sender whose requests the test answers, and whose clock it moves. */
async function open(t: TestContext, disk: FakeDisk, clock: FakeClock): Promise<Bench> {
  const log = fakeLog();
  const requests: Request[] = [];
  const send = ({ payload, gzipped }: WriteBody): Promise<Outcome> =>
    new Promise((answer) => {
      const body = (gzipped ? gunzipSync(payload) : payload).toString();
      requests.push({ body, answer });
    });
  const probe = (): Promise<string> => Promise.resolve('1.6.7');
  const health = new Health({ name: 'a', checkInterval: 1_000, probe }, clock, log);
  const limits = { maxBytes: 10_000_000, segmentBytes: 1_000_000 };
  const spill = await Spill.open({ directory: '/spill', ...limits }, { disk, log });
  const options = { name: 'a', db: 'db', gzip: true, maxRowLimit: 1_000, interval: 1_000 };
  const sender = new Sender(
    { ...options, spillAfter: 500, rewriteInterval: 10_000, maxQueuedBytes: 100_000 },
    {
      ...{ send, spill, clock, log, health },
      execute: () => Promise.reject(new Error('no statement is sent')),
      deadLetter: await DeadLetter.open('/dead-letter', disk),
      random: () => 1,
      ...(await neverDetached('a')),
    },
  );
  void health.run();
  await eventually('the backend up', () => health.isUp, { intervalMs: 1 });
  sender.start();
  t.after(async () => {
    health.close();
    const closed = sender.close();
    for (const { answer } of requests) answer({ kind: 'failed', reason: 'closed' });
    await closed;
  });
  const deliver: Bench['deliver'] = (name, points = 1) => {
    const part = partOf(name, points, clock.now());
    assert.ok(sender.tryReserve(part.reservedBytes));
    const delivery: { kinds?: string[] } = {};
    void sender.deliver(new Batch(TARGET, [part], COMPRESSOR)).verdicts.then((verdicts) => {
      delivery.kinds = verdicts.map(({ kind }) => kind);
    });
    return delivery;
  };
  return { sender, spill, requests, deliver };
}

async function sent({ requests }: Bench, count: number): Promise<readonly Request[]> {
  await eventually(`${count} requests`, () => requests.length === count, { intervalMs: 1 });
  return requests;
}

/** Whatever can go on without time and without an answer has done so. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

/** A batch whose request is open, and which is on disk because the backend was slow. */
async function spilled(t: TestContext) {
  const [disk, clock] = [new FakeDisk(), new FakeClock()];
  const bench = await open(t, disk, clock);
  const delivery = bench.deliver('m');
  await sent(bench, 1);
  await clock.advance(499);
  await settle();
  assert.equal(delivery.kinds, undefined, 'the backend may still answer');
  await clock.advance(1);
  await eventually('a verdict', () => delivery.kinds !== undefined, { intervalMs: 1 });
  assert.deepEqual(delivery.kinds, ['spilled']);
  return { disk, clock, bench };
}

test('a hung backend delays an answer by spillAfter, and replay waits for the open request', async (t) => {
  const { clock, bench } = await spilled(t);
  await clock.advance(60_000);
  await settle();
  assert.equal(bench.requests.length, 1, 'an abandoned request would still be executed');
  assert.ok(!bench.sender.isComplete);
});

test('a late 204 removes the record: nothing is sent twice', async (t) => {
  const { bench } = await spilled(t);
  bench.requests[0]?.answer({ kind: 'stored' });
  await eventually('complete', () => bench.sender.isComplete, { intervalMs: 1 });
  assert.equal(bench.requests.length, 1);
  assert.ok(bench.spill.isEmpty);
});

test('a late 400 is found again by replay, and its line is a dead letter', async (t) => {
  const { disk, bench } = await spilled(t);
  bench.requests[0]?.answer(REFUSED);
  const [, again] = await sent(bench, 2);
  assert.equal(again?.body, 'm v=0 0\n');
  again.answer(REFUSED);
  await eventually('complete', () => bench.sender.isComplete, { intervalMs: 1 });
  const dead = JSON.parse(disk.files().get('/dead-letter')?.toString() ?? '') as object;
  assert.equal((dead as { line: string }).line, 'm v=0 0');
});

test('a request that fails late is sent once more by replay', async (t) => {
  const { bench } = await spilled(t);
  bench.requests[0]?.answer({ kind: 'failed', reason: 'timeout' });
  const [, again] = await sent(bench, 2);
  again?.answer({ kind: 'stored' });
  await eventually('complete', () => bench.sender.isComplete, { intervalMs: 1 });
});

test('a proxy that restarts in between sends the record, before what is newer', async (t) => {
  const { disk, clock } = await spilled(t);
  const later = await open(
    t,
    disk.afterPowerCut(() => 'lost'),
    clock,
  );
  const delivery = later.deliver('newer');
  const [first] = await sent(later, 1);
  assert.equal(first?.body, 'm v=0 0\n');
  first.answer({ kind: 'stored' });
  const [, second] = await sent(later, 2);
  assert.equal(second?.body, 'newer v=0 0\n');
  second.answer({ kind: 'stored' });
  await eventually('complete', () => later.sender.isComplete, { intervalMs: 1 });
  assert.deepEqual(delivery.kinds, ['spilled']);
});

test('what waits for a slow backend takes bounded memory, whatever comes meanwhile (W8, W10)', async (t) => {
  const [disk, clock] = [new FakeDisk(), new FakeClock()];
  const bench = await open(t, disk, clock);
  const deliveries = Array.from({ length: 20 }, (_, index) => bench.deliver(`m${index}`, 1_000));
  await eventually('all of them', () => deliveries.every(({ kinds }) => kinds !== undefined), {
    intervalMs: 1,
  });
  const kinds = deliveries.map((delivery) => delivery.kinds?.[0]);
  assert.deepEqual(new Set(kinds), new Set(['spilled']), 'no time has passed');
  assert.equal(bench.requests.length, 1, 'one request at a time');
});

test('a backend that goes on failing is tried at growing pauses, not in a loop (D6)', async (t) => {
  const [disk, clock] = [new FakeDisk(), new FakeClock()];
  const bench = await open(t, disk, clock);
  bench.deliver('m');
  const failing: Outcome = { kind: 'failed', reason: 'status 503' };
  let answered = 0;
  const answerAll = async (): Promise<void> => {
    await settle();
    for (; answered < bench.requests.length; answered++) bench.requests[answered]?.answer(failing);
    await settle();
  };
  for (let seconds = 0; seconds < 60; seconds++) {
    await answerAll();
    await clock.advance(1_000);
  }
  assert.ok(answered >= 6, `${answered} requests: it is tried again`);
  assert.ok(answered <= 14, `${answered} requests in a minute`);
});
