import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { Health } from '../../src/backend/health.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeLog } from '../support/fake-log.ts';

const CHECK_MS = 1_000;

/** A server whose `/ping` answers what `probe.answer` says: a version, or an error. */
function watch(t: TestContext) {
  const clock = new FakeClock();
  const probe = { answer: '1.8.10' as string | Error, count: 0 };
  const health = new Health(
    {
      name: 'a',
      checkInterval: CHECK_MS,
      probe: () => {
        probe.count += 1;
        return typeof probe.answer === 'string'
          ? Promise.resolve(probe.answer)
          : Promise.reject(probe.answer);
      },
    },
    clock,
    fakeLog(),
  );
  t.after(() => {
    health.close();
  });
  return { clock, health, probe };
}

const REFUSED = new Error('ECONNREFUSED');

function stateOf(health: Health): string {
  if (health.isUp) return 'up';
  return health.isDown ? 'down' : 'unknown';
}

test('nothing is known until the first probe has answered, and that one decides', async (t) => {
  const good = watch(t);
  assert.equal(stateOf(good.health), 'unknown');
  void good.health.run();
  await good.clock.advance(0);
  assert.equal(stateOf(good.health), 'up');
  assert.equal(good.health.version, '1.8.10');

  const bad = watch(t);
  bad.probe.answer = REFUSED;
  void bad.health.run();
  await bad.clock.advance(0);
  assert.equal(stateOf(bad.health), 'down');
  assert.equal(bad.health.version, undefined);
});

test('three failures in a row make it down, two good probes up again (O3)', async (t) => {
  const { clock, health, probe } = watch(t);
  void health.run();
  await clock.advance(0);
  const check = async (answer: string | Error, expected: string): Promise<void> => {
    probe.answer = answer;
    await clock.advance(CHECK_MS);
    assert.equal(stateOf(health), expected);
  };
  await check(REFUSED, 'up');
  await check(REFUSED, 'up');
  await check('1.8.10', 'up');
  await check(REFUSED, 'up');
  await check(REFUSED, 'up');
  await check(REFUSED, 'down');
  await check('1.8.10', 'down');
  await check(REFUSED, 'down');
  await check('1.8.10', 'down');
  await check('1.9.0', 'up');
  assert.equal(health.version, '1.9.0');
});

test('failed requests count, an answered one ends the row, and only probes bring it up', async (t) => {
  const { clock, health } = watch(t);
  void health.run();
  await clock.advance(0);
  const { downSignal } = health;
  health.failed('503');
  health.failed('503');
  health.answered();
  health.failed('503');
  health.failed('503');
  assert.equal(stateOf(health), 'up');
  health.failed('503');
  assert.equal(stateOf(health), 'down');
  assert.ok(downSignal.aborted);
  health.answered();
  assert.equal(stateOf(health), 'down');
  await clock.advance(2 * CHECK_MS);
  assert.equal(stateOf(health), 'up');
  assert.ok(!health.downSignal.aborted, 'a new signal for the next outage');
});

test('whenUp waits for recovery, at most so long, and at no time while it is up', async (t) => {
  const { clock, health, probe } = watch(t);
  const never = new AbortController().signal;
  const waiting = async (ms: number, signal = never): Promise<{ done: boolean }> => {
    const state = { done: false };
    void health.whenUp(ms, signal).then(() => {
      state.done = true;
    });
    await clock.advance(0);
    return state;
  };
  assert.ok((await waiting(10)).done, 'unknown is not down');
  probe.answer = REFUSED;
  void health.run();
  await clock.advance(0);

  const short = await waiting(500);
  const long = await waiting(60_000);
  const aborted = new AbortController();
  const given = await waiting(60_000, aborted.signal);
  assert.deepEqual([short.done, long.done, given.done], [false, false, false]);
  aborted.abort();
  await clock.advance(500);
  assert.deepEqual([short.done, long.done, given.done], [true, false, true]);
  probe.answer = '1.8.10';
  await clock.advance(2 * CHECK_MS);
  assert.ok(long.done);
});

test('close ends the probes', async (t) => {
  const { clock, health, probe } = watch(t);
  const running = health.run();
  await clock.advance(3 * CHECK_MS);
  assert.equal(probe.count, 4);
  health.close();
  await running;
  assert.equal(clock.pending, 0);
});
