import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { freeNow } from '../../src/core/free.ts';

test('the memory of buffers is given back at once', () => {
  const buffers = [Buffer.alloc(200_000, 1), Buffer.alloc(100_000, 2)];
  const before = process.memoryUsage().arrayBuffers;

  freeNow(buffers);

  const lengths = buffers.map(({ length }) => length);
  assert.deepEqual(lengths, [0, 0]);
  assert.equal(process.memoryUsage().arrayBuffers, before - 300_000);
});

test('memory that buffers share with others is left alone', () => {
  const pooled = Buffer.from('cpu usage=1');
  const part = Buffer.alloc(1_000, 3).subarray(10);

  freeNow([pooled, part]);

  assert.equal(pooled.toString(), 'cpu usage=1');
  assert.equal(part.length, 990);
});
