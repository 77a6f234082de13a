import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { DiskFile } from '../../src/spill/disk.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { drain, openSpill, store, textsOf } from './harness.ts';

/** Its segments cannot be read while `failures` lasts: each reading of a file takes one off. */
class UnreadableDisk extends FakeDisk {
  failures = 0;

  override async open(...[name, mode]: Parameters<FakeDisk['open']>): Promise<DiskFile> {
    const file = await super.open(name, mode);
    return {
      ...file,
      read: (target, position) => {
        if (!name.endsWith('.segment') || this.failures <= 0) return file.read(target, position);
        this.failures -= 1;
        return Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
      },
    };
  }
}

async function diskWith(...texts: string[]): Promise<UnreadableDisk> {
  const disk = new UnreadableDisk();
  const spill = await openSpill({ disk });
  for (const text of texts) await store(spill, text);
  return disk;
}

const badFiles = (disk: FakeDisk): string[] =>
  [...disk.files().keys()].filter((name) => name.includes('.bad'));

test('what the disk cannot read for a while is not damage: it is read later', async () => {
  const disk = await diskWith('a', 'b');
  const spill = await openSpill({ disk });
  disk.failures = 6;
  while (disk.failures > 0) await assert.rejects(spill.peek(10), { code: 'SPILL_FAILED' });
  assert.deepEqual(textsOf(await drain(spill)), ['a', 'b']);
  assert.equal(spill.damaged, 0);
  assert.deepEqual(badFiles(disk), []);
});

test('what the disk cannot read at the start is not cut off as half a record', async () => {
  const disk = await diskWith('a', 'b');
  const length = (): number[] =>
    [...disk.files()].filter(([name]) => name.endsWith('.segment')).map(([, { length: n }]) => n);
  const before = length();
  disk.failures = 100;
  const spill = await openSpill({ disk });
  assert.deepEqual(length(), before);
  disk.failures = 0;
  assert.deepEqual(textsOf(await drain(spill)), ['a', 'b']);
});

test('what the disk never reads is set aside in the end', async () => {
  const disk = await diskWith('a', 'b');
  const spill = await openSpill({ disk });
  disk.failures = Infinity;
  let attempts = 0;
  for (; spill.damaged === 0 && attempts < 100; attempts++) await spill.peek(10).catch(() => []);
  assert.equal(spill.damaged, 1);
  assert.ok(attempts >= 10, `after ${attempts} attempts`);
});

test('a new segment comes behind an empty one that cannot be deleted, whatever their salts', async () => {
  const empty = '/spill/00000000000000000001-ffffffff.segment';
  const disk = new FakeDisk();
  disk.put(empty, Buffer.alloc(0));
  disk.stuckSegments = 100;
  const spill = await openSpill({ disk });
  await store(spill, 'a');
  const segments = [...disk.files().keys()].filter((name) => name.endsWith('.segment')).sort();
  assert.equal(segments.length, 2);
  assert.equal(segments[0], empty);
  assert.match(segments[1] ?? '', /0002-\w+\.segment$/);
  assert.deepEqual(textsOf(await drain(await openSpill({ disk }))), ['a']);
});
