import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { drain, lastOf, openSpill, store, textsOf } from './harness.ts';
import { tempDir } from '../support/temp-dir.ts';

const TEXTS = Array.from({ length: 12 }, (_, index) => `record ${index} ${'x'.repeat(60)}`);

test('a disk without a byte left is drained: the first segment that is delivered makes room', async (t) => {
  const directory = await tempDir(t);
  const faulty = new FaultyDisk();
  const disk = {
    ...faulty.disk,
    remove: async (file: string): Promise<void> => {
      await faulty.disk.remove(file);
      if (file.endsWith('.segment')) faulty.code = undefined;
    },
  };
  const spill = await openSpill({ disk, directory, segmentBytes: 400 });
  for (const text of TEXTS) await store(spill, text);
  faulty.code = 'ENOSPC';

  const delivered: string[] = [];
  let failures = 0;
  while (!spill.isEmpty) {
    const records = await spill.peek(100);
    delivered.push(...textsOf(records));
    await spill.ack(lastOf(records)).catch(() => {
      failures += 1;
    });
  }
  assert.deepEqual(delivered, TEXTS, 'once, and in order');
  assert.ok(failures > 0 && failures < TEXTS.length, `${failures} failures`);
  await spill.close();
});

test('what was delivered without a saved cursor is delivered again after a crash, before what is newer', async (t) => {
  const directory = await tempDir(t);
  const faulty = new FaultyDisk();
  const spill = await openSpill({ disk: faulty.disk, directory });
  for (const text of TEXTS.slice(0, 6)) await store(spill, text);
  faulty.code = 'ENOSPC';
  for (let steps = 0; steps < 3; steps++) {
    await assert.rejects(spill.ack(lastOf(await spill.peek(1))), { code: 'SPILL_FAILED' });
  }
  assert.equal(spill.isEmpty, false);

  // The process dies: nothing is closed.
  const next = await openSpill({ directory });
  assert.deepEqual(textsOf(await drain(next)), TEXTS.slice(0, 6));
  await next.close();
});
