import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.ts';

test('timers run in the order of their moments, each at its own', async () => {
  const clock = new FakeClock(0);
  const seen: string[] = [];
  const note = (name: string) => (): void => {
    seen.push(`${name}@${clock.now()}`);
  };
  clock.after(20, note('b'));
  clock.after(10, note('a'));
  clock.after(20, note('c'));
  const cancel = clock.after(15, note('never'));
  cancel();

  await clock.advance(19);
  assert.deepEqual(seen, ['a@10']);
  assert.equal(clock.nextInMs, 1);
  await clock.advance(1);
  assert.deepEqual(seen, ['a@10', 'b@20', 'c@20']);
  assert.equal(clock.pending, 0);
});

test('a loop that sleeps runs on within one advance, and stops when aborted', async () => {
  const clock = new FakeClock(0);
  const stop = new AbortController();
  let rounds = 0;
  const loop = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(10, stop.signal);
      rounds++;
    }
  })();
  await clock.advance(35);
  assert.equal(rounds, 3);
  stop.abort();
  await loop;
  assert.equal(clock.pending, 0);
});
