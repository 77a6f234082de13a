import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Timestamper } from '../../src/write/timestamper.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('timestamps follow the clock and increase also when it stands still or goes back', () => {
  const clock = new FakeClock(1_000);
  const timestamper = new Timestamper(clock);
  const check = (expected: bigint): void => {
    assert.equal(timestamper.next(), expected);
  };
  check(1_000_000_000n);
  check(1_000_000_001n);
  clock.advanceNanoseconds(1n);
  check(1_000_000_002n);
  clock.advanceNanoseconds(500n);
  check(1_000_000_501n);
  clock.setWallClock(10);
  check(1_000_000_502n);
  clock.setWallClock(2_000);
  check(2_000_000_000n);
});
