import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Scavenger } from '../../src/core/scavenger.ts';

const MEGABYTE = 1024 * 1024;
const BUFFER_BYTES = 64 * 1024;

/** The most megabytes of buffers that are there while 96 MB are read, each buffer garbage at once. */
async function mostWhileReading(scavenger: { read: (bytes: number) => void }): Promise<number> {
  let most = 0;
  for (let bytes = 0; bytes < 96 * MEGABYTE; bytes += BUFFER_BYTES) {
    scavenger.read(Buffer.alloc(BUFFER_BYTES).length);
    most = Math.max(most, process.memoryUsage().arrayBuffers / MEGABYTE);
    await nextTurn();
  }
  return most;
}

test('what was read is freed long before V8 would look after it', async () => {
  const most = await mostWhileReading(new Scavenger());
  assert.ok(most < 18, `${most} MB`);
  const byItself = await mostWhileReading({ read: () => undefined });
  assert.ok(byItself > 24, `${byItself} MB: nothing is left to do for a scavenger`);
});
