import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs, systemClock } from '../../src/core/time.ts';

test('a backoff doubles from attempt to attempt, up to its limit, half of it random', () => {
  const check = (attempt: number, random: number, expected: number): void => {
    const options = { minDelayMs: 100, maxDelayMs: 10_000 };
    assert.equal(
      backoffMs(attempt, options, () => random),
      expected,
      `${attempt} ${random}`,
    );
  };

  check(0, 0, 50);
  check(0, 0.5, 75);
  check(1, 0, 100);
  check(2, 0, 200);
  check(6, 0, 3200);
  check(7, 0, 5000);
  check(1000, 0, 5000);
  check(1000, 0.5, 7500);
});

test('no backoff is a hot loop, none is longer than its limit, none shrinks from attempt to attempt', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2000 }),
      fc.integer({ min: 1, max: 60_000 }),
      fc.nat({ max: 3_600_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, minDelayMs, more, random) => {
        const options = { minDelayMs, maxDelayMs: minDelayMs + more };
        const delay = backoffMs(attempt, options, () => random);
        assert.ok(delay >= minDelayMs / 2, `${delay}`);
        assert.ok(delay <= options.maxDelayMs, `${delay}`);
        assert.ok(delay >= 1 && Number.isInteger(delay), `${delay}`);
        assert.ok(delay <= backoffMs(attempt + 1, options, () => random));
      },
    ),
  );
});

test('nanoseconds agree with milliseconds and have digits below them', () => {
  const before = BigInt(systemClock.now()) * 1_000_000n;
  const moments = Array.from({ length: 1000 }, () => systemClock.nowNanoseconds());
  const after = BigInt(systemClock.now() + 1) * 1_000_000n;
  assert.ok(moments.every((moment) => moment >= before && moment <= after));
  assert.ok(moments.some((moment) => moment % 1_000_000n !== 0n));
});

test('a sleep ends at its time, or at once when its signal aborts or has aborted', async () => {
  const controller = new AbortController();
  const startedAt = performance.now();
  await systemClock.sleep(20, controller.signal);
  assert.ok(performance.now() - startedAt >= 19);

  const long = systemClock.sleep(3_600_000, controller.signal);
  controller.abort();
  await long;
  await systemClock.sleep(3_600_000, controller.signal);
});

test('a timer that was cancelled does not fire', async () => {
  const fired: string[] = [];
  const cancel = systemClock.after(5, () => fired.push('cancelled'));
  const done = new Promise<void>((resolve) => {
    systemClock.after(10, () => {
      fired.push('kept');
      resolve();
    });
  });
  cancel();
  await done;
  cancel();
  assert.deepEqual(fired, ['kept']);
});
