import { strict as assert } from 'node:assert';
import { createHook } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Compressor } from '../../src/write/compressor.ts';

test('what is compressed is what was given, whatever its length and content', async () => {
  const compressor = new Compressor({ level: 1 });
  for (const length of [0, 1, 2, 100, 16_384, 16_385, 100_000, 1_000_000]) {
    const line = 'cpu,host=server-1 usage=1.5 1700000000000000000\n';
    const lines = Buffer.alloc(length, line);
    const noise = randomBytes(length);
    const results = [lines, noise].map((bytes) => compressor.gzip(bytes));
    const [short, long] = await Promise.all(results);
    assert.ok(short !== undefined && gunzipSync(short).equals(lines), `${length} bytes of lines`);
    assert.ok(long !== undefined && gunzipSync(long).equals(noise), `${length} bytes of noise`);
  }
});

test('however many are asked for, a few are worked on at a time', async (t) => {
  let started = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'ZLIB') started += 1;
    },
  }).enable();
  t.after(() => hook.disable());
  const compressor = new Compressor({ level: 1 });
  const jobs = Array.from({ length: 20 }, (_, job) => compressor.gzip(Buffer.alloc(100_000, job)));
  assert.equal(started, 3);
  const results = await Promise.all(jobs);
  assert.equal(started, 20);
  for (const [job, result] of results.entries()) {
    assert.ok(gunzipSync(result).equals(Buffer.alloc(100_000, job)), `job ${job}`);
  }

  // Nothing is left behind that would hold up the next ones
  started = 0;
  const more = [1, 2, 3, 4].map(() => compressor.gzip(Buffer.alloc(100_000)));
  assert.equal(started, 3);
  await Promise.all(more);
});
