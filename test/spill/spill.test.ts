import { strict as assert } from 'node:assert';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { lastOf, openSpill, scratch, store, textsOf } from './harness.ts';

test('records come back in order, until they are acknowledged, also after a restart', async (t) => {
  const directory = await scratch(t);
  const spill = await openSpill({ directory });
  assert.ok(spill.isEmpty);
  const stored = ['a', 'b', 'c'].map((text) => store(spill, text));
  assert.equal(spill.isEmpty, false);
  assert.deepEqual(await Promise.all(stored), [1, 2, 3]);
  assert.deepEqual(textsOf(await spill.peek(1)), ['a']);
  const two = await spill.peek(2);
  assert.deepEqual(textsOf(two), ['a', 'b']);
  await spill.ack(lastOf(two));
  assert.deepEqual(spill.backlog, { records: 1, points: 1, bytes: 1 });
  await spill.close();

  const again = await openSpill({ directory });
  assert.deepEqual(again.backlog, { records: 1, points: 1, bytes: 1 });
  assert.equal(await store(again, 'd'), 4);
  const rest = await again.peek(100);
  assert.deepEqual(textsOf(rest), ['c']);
  await again.ack(lastOf(rest));
  const end = await again.peek(100);
  assert.deepEqual(textsOf(end), ['d']);
  await again.ack(lastOf(end));
  assert.ok(again.isEmpty);
  assert.deepEqual(await readdir(directory), ['cursor']);
  await again.close();

  const third = await openSpill({ directory });
  assert.equal(await store(third, 'e'), 5);
  await third.close();
});
