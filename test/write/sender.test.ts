import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { Health } from '../../src/backend/health.ts';
import { InfluxServer } from '../../src/backend/influxdb.ts';
import { systemClock } from '../../src/core/time.ts';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import { CURSOR_FILE } from '../../src/spill/cursor.ts';
import { Spill } from '../../src/spill/spill.ts';
import { Batch } from '../../src/write/batch.ts';
import { Sender } from '../../src/write/sender.ts';
import type { Verdict } from '../../src/write/verdict.ts';
import { eventually } from '../support/eventually.ts';
import { fakeLog } from '../support/fake-log.ts';
import { neverDetached } from '../support/never-detached.ts';
import { type ScriptedBackend, scriptedBackend, type Step } from '../support/scripted-backend.ts';
import { HeldDisk } from './held-disk.ts';
import { COMPRESSOR, partOf, TARGET } from './parts.ts';

const OPTIONS = {
  name: 'a',
  db: 'db',
  gzip: true,
  maxRowLimit: 1_000,
  interval: 1_000,
  spillAfter: 20_000,
  rewriteInterval: 20,
  maxQueuedBytes: 1_000_000,
};

interface Bench {
  readonly backend: ScriptedBackend;
  readonly disk: HeldDisk;
  readonly spill: Spill;
  readonly sender: Sender;
  /** Sends one line of this name; `kinds` is set once there are verdicts. */
  readonly deliver: (name: string) => { kinds?: string[]; verdicts: Promise<readonly Verdict[]> };
}

/** A sender on a real connection, with a disk whose syncs can be held. */
async function bench(t: TestContext, options: Partial<typeof OPTIONS> = {}): Promise<Bench> {
  const backend = await scriptedBackend(t);
  const disk = new HeldDisk();
  const log = fakeLog();
  const connection = { username: '', password: '', timeout: 5_000, timeoutQuery: 5_000, db: 'db' };
  const server = new InfluxServer({ ...connection, url: backend.url }, systemClock);
  const probe = (ms: number): Promise<string> => server.ping(ms);
  const health = new Health({ name: 'a', checkInterval: 20, probe }, systemClock, log);
  const spill = await Spill.open(
    { directory: '/spill', maxBytes: 1_000_000, segmentBytes: 100_000 },
    { disk, log },
  );
  const sender = new Sender(
    { ...OPTIONS, ...options },
    {
      send: (body) => server.write(body),
      execute: (form) => server.execute(form),
      deadLetter: await DeadLetter.open('/dead-letter', disk),
      random: () => 0,
      clock: systemClock,
      ...{ health, spill, log },
      ...(await neverDetached(OPTIONS.name)),
    },
  );
  void health.run();
  t.after(async () => {
    disk.release();
    const closed = sender.close();
    health.close();
    await server.close();
    await closed;
    await spill.close();
  });
  await eventually('the backend up', () => health.isUp);
  const deliver = (name: string): ReturnType<Bench['deliver']> => {
    const part = partOf(name, 1, systemClock.now());
    assert.ok(sender.tryReserve(part.reservedBytes));
    const { verdicts } = sender.deliver(new Batch(TARGET, [part], COMPRESSOR));
    const delivery: ReturnType<Bench['deliver']> = { verdicts };
    verdicts.then(
      (all) => {
        delivery.kinds = all.map(({ kind }) => kind);
      },
      () => undefined,
    );
    return delivery;
  };
  return { backend, disk, spill, sender, deliver };
}

async function kindsOf(delivery: ReturnType<Bench['deliver']>): Promise<string[]> {
  return (await delivery.verdicts).map(({ kind }) => kind);
}

test('a point that a backend did not take is acknowledged when its record is synced, not before', async (t) => {
  const { backend, disk, deliver } = await bench(t);
  backend.answer(503);
  disk.held = '.seg';
  const delivery = deliver('m');
  await disk.untilHeld();
  assert.equal(delivery.kinds, undefined);
  disk.release();
  assert.deepEqual(await kindsOf(delivery), ['spilled']);
});

test('a backend is complete when its final cursor is synced, not before', async (t) => {
  const { backend, disk, spill, sender, deliver } = await bench(t);
  backend.answer(503, 204);
  disk.held = CURSOR_FILE;
  assert.deepEqual(await kindsOf(deliver('first')), ['spilled']);
  await disk.untilHeld();
  assert.equal(backend.writes.length, 2, 'delivered by replay');
  assert.ok(!sender.isComplete);
  const second = deliver('second');
  assert.deepEqual(await kindsOf(second), ['spilled'], 'behind the backlog, not past it');
  assert.equal(backend.writes.length, 2);
  disk.release();
  await eventually('complete', () => sender.isComplete);
  assert.ok(spill.isEmpty);
  assert.deepEqual(await kindsOf(deliver('third')), ['stored']);
  assert.deepEqual(backend.writes.slice(1), ['first v=0 0\n', 'second v=0 0\n', 'third v=0 0\n']);
});

test('a backend is complete again under a load that never pauses', async (t) => {
  const { backend, sender, deliver } = await bench(t);
  const names = Array.from({ length: 60 }, (_, index) => `m${index}`);
  const kinds: Promise<string[]>[] = [];
  const deliverNext = (): void => {
    const name = names[kinds.length];
    if (name !== undefined) kinds.push(kindsOf(deliver(name)));
  };
  // While each request is under way, another batch comes.
  backend.answer(503, () => {
    deliverNext();
    return 204;
  });
  deliverNext();
  await eventually('complete', () => sender.isComplete);
  assert.ok(kinds.length <= 10, `after ${kinds.length} batches`);
  await eventually('all delivered', () => backend.writes.join('').includes('m59 '));
  const all = names.map((name) => `${name} v=0 0\n`).join('');
  assert.equal(backend.writes.slice(1).join(''), all, 'in order, and each of them once');
  const last = (await Promise.all(kinds)).slice(10).flat();
  assert.deepEqual(new Set(last), new Set(['stored']), 'and it stays so');
});

test('a record stays until the backend has taken it (D4)', async (t) => {
  const { backend, spill, sender, deliver } = await bench(t);
  backend.answer(503, 500, 'reset', { status: 503 }, 204);
  await deliver('m').verdicts;
  await backend.received(4);
  assert.equal(spill.backlog.records, 1);
  await eventually('complete', () => sender.isComplete);
  assert.equal(backend.writes.length, 5);
  assert.equal(spill.backlog.records, 0);
});

test('newer batches wait behind the backlog, and all arrive in order (D16)', async (t) => {
  const { backend, sender, deliver } = await bench(t);
  let goOn: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const slow: Step = { status: 503, when };
  backend.answer(503, slow, 204);
  const names = ['a', 'b', 'c', 'd'];
  await deliver('a').verdicts;
  await backend.received(2);
  for (const name of names.slice(1)) assert.deepEqual(await kindsOf(deliver(name)), ['spilled']);
  goOn();
  await eventually('complete', () => sender.isComplete);
  const taken = backend.writes.slice(2).join('');
  assert.equal(taken, names.map((name) => `${name} v=0 0\n`).join(''));
});

test('a disk that fails is an error for the client, and the next batch is fine', async (t) => {
  const { backend, disk, sender, deliver } = await bench(t);
  backend.answer(503);
  [disk.faultFrom, disk.faultTo] = [disk.steps + 1, disk.steps + 2];
  await assert.rejects(deliver('lost').verdicts, { code: 'SPILL_FAILED' });
  assert.deepEqual(await kindsOf(deliver('kept')), ['spilled']);
  backend.answer(204);
  await eventually('complete', () => sender.isComplete);
  assert.equal(backend.writes.at(-1), 'kept v=0 0\n');
  assert.equal(backend.writes.filter((body) => body.startsWith('lost')).length, 1);
});

test('room that was reserved is given back, stored or spilled', async (t) => {
  const { backend, spill, sender, deliver } = await bench(t);
  backend.answer(204, 503, 204);
  for (const name of ['a', 'b', 'c']) await deliver(name).verdicts;
  await eventually('complete', () => sender.isComplete);
  assert.equal(spill.reservedBytes, 0);
});

test('what waits while a request is open leaves with the next one', async (t) => {
  const { backend, deliver } = await bench(t);
  let answer: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    answer = resolve;
  });
  backend.answer({ status: 204, when }, 204);
  const first = deliver('a');
  await backend.received(1);
  const others = ['b', 'c', 'd'].map(deliver);
  answer();
  for (const delivery of [first, ...others]) assert.deepEqual(await kindsOf(delivery), ['stored']);
  assert.deepEqual(backend.writes, ['a v=0 0\n', 'b v=0 0\nc v=0 0\nd v=0 0\n']);
});

test('a backend slower than spillAfter is spilled, and a late 204 spares the replay', async (t) => {
  const { backend, sender, deliver } = await bench(t, { spillAfter: 50 });
  let answer: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    answer = resolve;
  });
  backend.answer({ status: 204, when }, 204);
  assert.deepEqual(await kindsOf(deliver('a')), ['spilled']);
  assert.deepEqual(await kindsOf(deliver('b')), ['spilled']);
  answer();
  await eventually('complete', () => sender.isComplete);
  assert.deepEqual(backend.writes, ['a v=0 0\n', 'b v=0 0\n']);
});

test('one refused line among the requests of many clients costs few requests, and only its own client hears of it', async (t) => {
  const { backend, sender } = await bench(t);
  backend.answer(({ body }) =>
    body.includes('bad') ? { status: 400, body: '{"error":"no"}' } : 204,
  );
  const names = Array.from({ length: 64 }, (_, index) => (index === 40 ? 'bad' : `m${index}`));
  const batch = new Batch(
    TARGET,
    names.map((name) => partOf(name, 1, systemClock.now())),
    COMPRESSOR,
  );
  assert.ok(sender.tryReserve(batch.reservedBytes));
  const verdicts = await sender.deliver(batch).verdicts;
  const refused = verdicts.flatMap(({ kind }, index) => (kind === 'stored' ? [] : [index]));
  assert.deepEqual(refused, [40]);
  assert.ok(backend.writes.length <= 13, `${backend.writes.length} requests`);
  assert.ok(sender.isComplete, 'a refusal is no outage');
});

test('what is given up keeps its order on disk: the request under way, a statement, and what waits behind it', async (t) => {
  const { backend, sender, deliver } = await bench(t);
  let answer: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const done: Step = { status: 200, body: '{"results":[{"statement_id":0}]}\n' };
  backend.answer({ status: 503, when }, ({ path }) => (path === '/query' ? done : 204));
  const first = deliver('a');
  await backend.received(1);
  assert.ok(sender.tryReserve(100));
  const statement = sender.deliverStatement('q=DELETE+FROM+a', 100);
  const behind = ['b', 'c'].map(deliver);
  sender.surrender();
  for (const delivery of [first, ...behind]) assert.deepEqual(await kindsOf(delivery), ['spilled']);
  assert.deepEqual(await statement, { kind: 'spilled' });
  answer();
  await eventually('complete', () => sender.isComplete);
  const replayed = backend.requests
    .slice(1)
    .map(({ path, body }) => (path === '/query' ? 'q' : body));
  assert.equal(replayed.join(''), 'a v=0 0\nqb v=0 0\nc v=0 0\n');
});
