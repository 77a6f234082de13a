import { strict as assert } from 'node:assert';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { nodeDisk } from '../../src/spill/disk.ts';
import { type RecordDraft, Spill, type StoredRecord } from '../../src/spill/spill.ts';
import { fakeLog } from '../support/fake-log.ts';
import { tempDir } from '../support/temp-dir.ts';

const MIB = 1024 * 1024;

function draft(text: string, points = 1): RecordDraft {
  return { kind: 'batch', points, db: 'db', rp: '', precision: 'ns', payload: Buffer.from(text) };
}

function openSpill(directory: string, options = {}): Promise<Spill> {
  return Spill.open(
    { directory, maxBytes: MIB, segmentBytes: 64 * 1024, ...options },
    { disk: nodeDisk, log: fakeLog() },
  );
}

async function store(spill: Spill, text: string): Promise<number> {
  assert.ok(spill.tryReserve(text.length));
  return spill.append(draft(text));
}

function last(records: readonly StoredRecord[]): StoredRecord {
  const record = records.at(-1);
  assert.ok(record !== undefined);
  return record;
}

const texts = (records: readonly StoredRecord[]): string[] =>
  records.map((record) => record.payload.toString());

test('records come back in order, until they are acknowledged, also after a restart', async (t) => {
  const directory = await tempDir(t);
  const spill = await openSpill(directory);
  assert.ok(spill.isEmpty);
  const stored = ['a', 'b', 'c'].map((text) => store(spill, text));
  assert.equal(spill.isEmpty, false);
  assert.deepEqual(await Promise.all(stored), [1, 2, 3]);
  assert.deepEqual(texts(await spill.peek(1)), ['a']);
  const two = await spill.peek(2);
  assert.deepEqual(texts(two), ['a', 'b']);
  await spill.ack(last(two));
  assert.deepEqual(spill.backlog, { records: 1, points: 1, bytes: 1 });
  await spill.close();

  const again = await openSpill(directory);
  assert.deepEqual(again.backlog, { records: 1, points: 1, bytes: 1 });
  assert.equal(await store(again, 'd'), 4);
  const rest = await again.peek(100);
  assert.deepEqual(texts(rest), ['c']);
  await again.ack(last(rest));
  const end = await again.peek(100);
  assert.deepEqual(texts(end), ['d']);
  await again.ack(last(end));
  assert.ok(again.isEmpty);
  assert.deepEqual(await readdir(directory), ['cursor']);
  await again.close();

  const third = await openSpill(directory);
  assert.equal(await store(third, 'e'), 5);
  await third.close();
});
