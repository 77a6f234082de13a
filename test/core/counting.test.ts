import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Budget } from '../../src/core/budget.ts';
import { InOrder } from '../../src/core/in-order.ts';
import { Tally } from '../../src/core/tally.ts';

test('a budget admits up to its limit; what follows from admitted work may pass it', () => {
  const budget = new Budget(10);
  assert.ok(budget.tryTake(10));
  assert.ok(!budget.tryTake(1));
  assert.equal(budget.used, 10);
  budget.take(5);
  assert.equal(budget.used, 15);
  budget.give(10);
  assert.ok(budget.tryTake(5));
  budget.give(10);
  assert.equal(budget.used, 0);
});

test('a tally tells everybody who waits when nothing is under way', async () => {
  const tally = new Tally();
  await tally.whenZero();
  tally.start();
  tally.start();
  let told = 0;
  for (let waiters = 0; waiters < 2; waiters++) {
    void tally.whenZero().then(() => {
      told += 1;
    });
  }
  tally.finish();
  await turn();
  assert.equal(told, 0);
  tally.finish();
  await turn();
  assert.equal(told, 2);
  assert.equal(tally.count, 0);
});

test('actions start in the order of the calls, whenever what they need is there', async () => {
  const inOrder = new InOrder();
  const started: string[] = [];
  const prepare: Record<string, (value: string) => void> = {};
  const run = (name: string): Promise<string> =>
    inOrder.run(
      new Promise<string>((resolve) => {
        prepare[name] = resolve;
      }),
      (value) => {
        started.push(value);
        return Promise.resolve(`${value} done`);
      },
    );
  const [a, b, c] = [run('a'), run('b'), run('c')];
  assert.equal(inOrder.pending, 3);
  prepare['c']?.('c');
  prepare['b']?.('b');
  await turn();
  assert.deepEqual(started, []);
  prepare['a']?.('a');
  assert.deepEqual(await Promise.all([a, b, c]), ['a done', 'b done', 'c done']);
  assert.deepEqual(started, ['a', 'b', 'c']);
  assert.equal(inOrder.pending, 0);
});

test('an action whose preparation or run fails holds up no other', async () => {
  const inOrder = new InOrder();
  const unprepared = inOrder.run(Promise.reject(new Error('prepare')), () => Promise.resolve(1));
  const failing = inOrder.run(Promise.resolve(), () => Promise.reject(new Error('run')));
  const fine = inOrder.run(Promise.resolve(), () => Promise.resolve(3));
  await assert.rejects(unprepared, /prepare/);
  await assert.rejects(failing, /run/);
  assert.equal(await fine, 3);
  assert.equal(inOrder.pending, 0);
});

test('an action does not wait for the end of the one before it', async () => {
  const inOrder = new InOrder();
  const endless = inOrder.run(Promise.resolve(), () => new Promise<never>(() => undefined));
  void endless;
  assert.equal(await inOrder.run(Promise.resolve(), () => Promise.resolve(2)), 2);
});
