import { strict as assert } from 'node:assert';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import type { RecordDraft } from '../../src/spill/spill.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { drain, draft, lastOf, openSpill, store, textsOf } from './harness.ts';
import { tempDir } from '../support/temp-dir.ts';

test('records come back in order, until they are acknowledged, also after a restart', async (t) => {
  const directory = await tempDir(t);
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

test('room: files, pending appends and reservations together stay within the limit', async () => {
  const spill = await openSpill({ disk: new FakeDisk(), maxBytes: 1000, segmentBytes: 64 * 1024 });
  const check = (bytes: number, expected: boolean): void => {
    assert.equal(spill.tryReserve(bytes), expected, `${bytes} bytes`);
  };

  check(1001, false);
  check(1000, true);
  check(1, false);
  spill.release(600);
  check(600, true);
  assert.equal(spill.reservedBytes, 1000);

  // The reservation may differ from the payload, and is used up at the call.
  const stored = spill.append(draft('x'.repeat(100)), 600);
  assert.deepEqual([spill.reservedBytes, spill.usedBytes], [400, 144]);
  await stored;
  assert.deepEqual([spill.reservedBytes, spill.usedBytes], [400, 144]);
  check(457, false);
  check(456, true);
  await spill.ack(lastOf(await spill.peek(1)));
  assert.deepEqual([spill.reservedBytes, spill.usedBytes], [856, 0]);

  assert.throws(() => {
    spill.release(857);
  }, /BUG/);
  assert.throws(() => spill.append(draft('x'), 857), /BUG/);
});

test('appends that wait at the same time share one write and one sync', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk });
  const before = disk.steps;
  await store(spill, 'first');
  const alone = disk.steps - before;
  const manyAt = disk.steps;
  await Promise.all(Array.from({ length: 100 }, (_, index) => store(spill, `${index}`)));
  assert.deepEqual([alone, disk.steps - manyAt], [4, 2]);
});

test('peek waits for an append under way, and for nothing else', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk });
  assert.deepEqual(await spill.peek(1), []);
  const stored = store(spill, 'a');
  assert.deepEqual(textsOf(await spill.peek(1)), ['a']);
  await stored;
  await spill.ack(lastOf(await spill.peek(1)));

  disk.faultFrom = disk.steps + 1;
  disk.faultTo = disk.faultFrom + 1;
  const rejected = assert.rejects(store(spill, 'b'), { code: 'SPILL_FAILED' });
  assert.equal(spill.isEmpty, false);
  assert.deepEqual(await spill.peek(1), []);
  await rejected;
  assert.ok(spill.isEmpty);
});

test('an append that the disk refuses leaves nothing behind', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk });
  await store(spill, 'first');
  const failNext = (after: number, code: string): void => {
    disk.faultCode = code;
    disk.faultFrom = disk.steps + after;
    disk.faultTo = disk.faultFrom + 1;
  };
  const sizes = (): number[] =>
    [...disk.files()].filter(([name]) => name.endsWith('.segment')).map(([, { length }]) => length);

  // The write fails: cut off, and on in the same file.
  failNext(1, 'ENOSPC');
  await assert.rejects(store(spill, 'a'.repeat(100)), { code: 'SPILL_FAILED' });
  assert.deepEqual(sizes(), [49]);
  await store(spill, 'b');
  assert.deepEqual(sizes(), [49 + 45]);

  // The sync fails: nobody knows what is on disk, so the file is not written to any more.
  failNext(2, 'EIO');
  await assert.rejects(store(spill, 'c'), { code: 'SPILL_FAILED' });
  await store(spill, 'd');
  assert.deepEqual(sizes(), [49 + 45, 45]);

  // Too much for the format
  await assert.rejects(spill.append({ ...draft(''), db: 'x'.repeat(20_000) }), {
    code: 'SPILL_FAILED',
    message: 'a name is longer than 16384 bytes',
  });
  assert.equal(spill.reservedBytes, 0);
  assert.deepEqual(textsOf(await drain(spill)), ['first', 'b', 'd']);
});

test('all that a record says comes back, whatever it is', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk });
  const check = async (record: RecordDraft): Promise<void> => {
    const sequence = await spill.append(record, 0);
    const [found] = await spill.peek(1);
    assert.ok(found !== undefined);
    const { position, ...fields } = found;
    const payload = Buffer.concat([record.payload].flat());
    assert.deepEqual(fields, { ...record, payload, sequence });
    await spill.ack({ ...fields, position });
    assert.ok(spill.isEmpty);
  };

  await check(draft('cpu v=1', 1));
  await check({ ...draft('DROP SERIES FROM cpu', 0), kind: 'statement' });
  await check({ ...draft(''), db: '', rp: '', precision: '' });
  await check({
    ...draft(''),
    payload: [Buffer.from('in'), Buffer.alloc(0), Buffer.from(' parts')],
  });
  await check({ ...draft('x'), db: 'Datenbank "ä" 数据', rp: 'r'.repeat(16_384), precision: '\0' });
  await check({ ...draft('x'.repeat(300_000)), points: 0xffff_ffff });
});

test('acknowledging twice, or an older record, changes nothing', async () => {
  const spill = await openSpill({ disk: new FakeDisk(), segmentBytes: 100 });
  for (const text of ['a', 'b', 'c', 'd']) await store(spill, text);
  const [first] = await spill.peek(1);
  assert.ok(first !== undefined);
  await spill.ack(first);
  const second = lastOf(await spill.peek(1));
  await spill.ack(second);
  await Promise.all([spill.ack(first), spill.ack(second), spill.ack(first)]);
  assert.deepEqual(spill.backlog, { records: 2, points: 2, bytes: 2 });
  assert.deepEqual(textsOf(await drain(spill)), ['c', 'd']);
  await spill.ack(second);
  assert.ok(spill.isEmpty);
});

test('close finishes what was appended and refuses what comes after', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk });
  const stored = store(spill, 'a');
  await Promise.all([spill.close(), spill.close()]);
  assert.equal(await stored, 1);
  await assert.rejects(store(spill, 'b'), { code: 'SHUTTING_DOWN' });
  await assert.rejects(spill.peek(1), { code: 'SHUTTING_DOWN' });
  assert.equal(spill.reservedBytes, 0);
  assert.deepEqual(textsOf(await drain(await openSpill({ disk }))), ['a']);
});

test('many append while one delivers: nothing is lost, doubled or out of order (D9, D10)', async (t) => {
  const spill = await openSpill({ directory: await tempDir(t), segmentBytes: 2000 });
  const found: number[] = [];
  let isAppending = true;
  const deliver = async (): Promise<void> => {
    while (isAppending || !spill.isEmpty) {
      const records = await spill.peek(300);
      found.push(...records.map((record) => record.sequence));
      if (records.length > 0) await spill.ack(lastOf(records));
      else await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const append = async (): Promise<void> => {
    for (let count = 0; count < 30; count++) await store(spill, 'x'.repeat(count));
  };
  const delivery = deliver();
  await Promise.all(Array.from({ length: 8 }, append));
  isAppending = false;
  await delivery;
  assert.deepEqual(
    found,
    Array.from({ length: 240 }, (_, index) => index + 1),
  );
  assert.equal(spill.usedBytes, 0);
});

test('what follows a record that was shown is read before that one is acknowledged, from segment to segment', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: 150 });
  const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const text of texts) await store(spill, text);
  const backlogs = [spill.backlog];
  const shown = [lastOf(await spill.peek(1))];
  for (let next = await spill.peekBehind(lastOf(shown), 2); next.length > 0;) {
    shown.push(...next);
    next = await spill.peekBehind(lastOf(next), 2);
  }
  assert.deepEqual(textsOf(shown), texts);
  assert.deepEqual([spill.backlog, textsOf(await spill.peek(1))], [backlogs[0], ['0']]);

  const middle = shown[9];
  assert.ok(middle !== undefined);
  await spill.ack(middle);
  assert.equal(spill.backlog.records, 10);
  const again = await openSpill({ disk });
  assert.equal(again.backlog.records, 10);
  assert.deepEqual(textsOf(await again.peek(1)), ['10']);
  await spill.ack(lastOf(shown));
  assert.ok(spill.isEmpty);
  assert.deepEqual(await spill.peekBehind(lastOf(shown), 1), []);
});

test('damage behind a record that was shown is met when its turn has come', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: 50 });
  for (const text of ['a', 'b', 'c']) await store(spill, text);
  const [, second] = [...disk.files().keys()].filter((name) => name.endsWith('.segment'));
  disk.put(second ?? '', Buffer.alloc(100));
  const first = lastOf(await spill.peek(1));
  assert.deepEqual(await spill.peekBehind(first, 10), []);
  assert.deepEqual([spill.damaged, spill.backlog.records], [0, 3]);
  await spill.ack(first);
  assert.deepEqual(textsOf(await spill.peek(10)), ['c']);
  assert.equal(spill.damaged, 1);
});
