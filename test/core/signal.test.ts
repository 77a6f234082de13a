import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Signal } from '../../src/core/signal.ts';

test('a signal tells each listener once, in order, and late ones at once', () => {
  const signal = new Signal();
  const told: string[] = [];
  signal.onAbort(() => told.push('first'));
  signal.onAbort(() => told.push('second'));
  assert.equal(signal.aborted, false);
  signal.abort();
  signal.abort();
  assert.deepEqual(told, ['first', 'second']);
  assert.equal(signal.aborted, true);
  signal.onAbort(() => told.push('late'));
  assert.equal(told.at(-1), 'late');
});

test('a signal does not tell who has left, be it while it tells another one', () => {
  const signal = new Signal();
  const told: string[] = [];
  const leave = signal.onAbort(() => told.push('gone'));
  signal.onAbort(() => {
    told.push('there');
    leaveNext();
  });
  const leaveNext = signal.onAbort(() => told.push('next'));
  leave();
  leave();
  signal.abort();
  assert.deepEqual(told, ['there']);
});

test('a listener that throws keeps nobody from being told, and does not fail who aborts', async (t) => {
  const signal = new Signal();
  const bug = new Error('BUG');
  const uncaught = new Promise<Error>((resolve) => {
    process.setUncaughtExceptionCaptureCallback(resolve);
  });
  t.after(() => {
    process.setUncaughtExceptionCaptureCallback(null);
  });
  const told: string[] = [];
  signal.onAbort(() => {
    throw bug;
  });
  signal.onAbort(() => told.push('next'));
  signal.abort();
  assert.deepEqual(told, ['next']);
  assert.equal(await uncaught, bug, 'the process would end');
});
