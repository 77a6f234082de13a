import { strict as assert } from 'node:assert';
import path from 'node:path';
import { test } from 'node:test';
import { CURSOR_FILE } from '../../src/spill/cursor.ts';
import { discardSpill } from '../../src/spill/discard.ts';
import { nodeDisk } from '../../src/spill/disk.ts';
import { type Inspected, inspectSpill, summarizeSpill } from '../../src/spill/inspect.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';
import { DIRECTORY, drain, lastOf, openSpill, store } from './harness.ts';
import { tempDir } from '../support/temp-dir.ts';

// Three records each.
const SEGMENT_BYTES = 150;
const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
const NOTHING = { records: 0, points: 0, bytes: 0, files: 0, fileBytes: 0, damagedFiles: 0 };

async function inspected(disk: FakeDisk): Promise<string[]> {
  const all: string[] = [];
  for await (const found of inspectSpill(DIRECTORY, disk)) all.push(textOf(found));
  return all;
}

function textOf(found: Inspected): string {
  return found.at === 'record'
    ? `${found.sequence} ${found.payload.toString()}`
    : `damage ${found.start}-${found.end}`;
}

test('what is undelivered is shown at every step of a running spill, and nothing changes', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  const check = async (): Promise<void> => {
    const before = disk.files();
    const { files, fileBytes, damagedFiles, ...totals } = await summarizeSpill(DIRECTORY, disk);
    assert.deepEqual(totals, spill.backlog);
    assert.deepEqual([fileBytes, damagedFiles], [spill.usedBytes, 0]);
    const segments = [...before.keys()].filter((name) => name.endsWith('.segment'));
    assert.equal(files, segments.length);
    const shown = await inspected(disk);
    assert.equal(shown.length, totals.records);
    assert.deepEqual(disk.files(), before);
  };

  await check();
  for (const text of TEXTS) {
    await store(spill, text);
    await check();
  }
  assert.deepEqual(
    await inspected(disk),
    TEXTS.map((text, index) => `${index + 1} ${text}`),
  );
  while (!spill.isEmpty) {
    await check();
    const [first] = await spill.peek(1);
    assert.ok(first !== undefined);
    await spill.ack(first);
  }
  await check();
  assert.deepEqual(await summarizeSpill(DIRECTORY, disk), NOTHING);
});

test('a torn tail is not shown and not cut, damage is shown and not set aside', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  for (const text of TEXTS) await store(spill, text);
  const files = disk.files();
  const names = [...files.keys()].filter((name) => name.endsWith('.segment')).sort();
  const [front = '', , last = ''] = names;
  const damaged = Buffer.from(files.get(front) ?? '');
  damaged.fill(0xff, 10, 20);
  disk.put(front, damaged);
  disk.put(last, (files.get(last) ?? damaged).subarray(0, 20));
  disk.put(`${front}.0.bad`, Buffer.from('earlier'));
  disk.put(path.join(DIRECTORY, `${CURSOR_FILE}.tmp`), Buffer.from('half'));

  const before = disk.files();
  assert.deepEqual(await inspected(disk), [
    'damage 0-47',
    ...TEXTS.slice(1, 6).map((text, index) => `${index + 2} ${text}`),
  ]);
  const { records, damagedFiles } = await summarizeSpill(DIRECTORY, disk);
  assert.deepEqual([records, damagedFiles], [6, 1]); // the footer still counts the damaged one
  assert.deepEqual(disk.files(), before);
});

test('segments that a running proxy delivers while we read are left out', async () => {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  for (const text of TEXTS) await store(spill, text);
  const shown: string[] = [];
  for await (const found of inspectSpill(DIRECTORY, disk)) {
    shown.push(textOf(found));
    if (shown.length > 1) continue;
    await spill.ack(lastOf((await spill.peek(1000)).slice(0, 3)));
    await spill.ack(lastOf((await spill.peek(1000)).slice(0, 3)));
  }
  assert.deepEqual(shown, ['1 one', '2 two', '3 three', '7 seven']);
});

test('beside a spill at work on a real disk, looking never fails and sees no damage', async (t) => {
  const directory = await tempDir(t);
  const spill = await openSpill({ directory, segmentBytes: 2_000 });
  const write = async (): Promise<void> => {
    for (let index = 0; index < 300; index++) {
      await Promise.all(['a', 'b'].map((text) => store(spill, text.repeat(100))));
      if (index % 3 !== 2) continue;
      const records = await spill.peek(700);
      if (records.length > 0) await spill.ack(lastOf(records));
    }
  };
  const written = write().then(() => 'done');
  let looks = 0;
  for (let state = ''; state !== 'done'; looks++) {
    const { records } = await summarizeSpill(directory, nodeDisk);
    assert.ok(records <= 600);
    const sequences: number[] = [];
    for await (const found of inspectSpill(directory, nodeDisk)) {
      assert.equal(found.at, 'record', JSON.stringify(found));
      sequences.push(found.sequence);
    }
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
    state = await Promise.race([written, Promise.resolve('under way')]);
  }
  assert.ok(looks > 3, `${looks} looks`);
  assert.deepEqual((await summarizeSpill(directory, nodeDisk)).records, spill.backlog.records);
  await spill.close();
});

test('a spill that is not there is empty, and stays away', async (t) => {
  const directory = path.join(await tempDir(t), 'spill', 'east');
  assert.deepEqual(await summarizeSpill(directory, nodeDisk), NOTHING);
  const deps = { disk: nodeDisk, log: fakeLog() };
  const { records } = await discardSpill(directory, deps);
  assert.equal(records, 0);
  await assert.rejects(nodeDisk.list(directory), { code: 'ENOENT' });
});

test('a discarded spill is empty for good, keeps its damaged parts and its count', async () => {
  const disk = new FakeDisk();
  const log = fakeLog();
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  for (const text of TEXTS) await store(spill, text);
  await spill.ack(lastOf(await spill.peek(1)));
  await spill.close();
  const bad = path.join(DIRECTORY, 'x.segment.0.bad');
  disk.put(bad, Buffer.from('earlier'));

  const discarded = await discardSpill(DIRECTORY, { disk, log });
  assert.deepEqual([discarded.records, discarded.points], [6, 6]);
  assert.deepEqual(await summarizeSpill(DIRECTORY, disk), { ...NOTHING, damagedFiles: 1 });
  assert.deepEqual(
    [...disk.files().keys()].sort(),
    [path.join(DIRECTORY, CURSOR_FILE), bad].sort(),
  );
  const again = await openSpill({ disk });
  assert.equal(await store(again, 'new'), TEXTS.length + 1);
  const [record] = await drain(again);
  assert.equal(record?.payload.toString(), 'new');
});

test('a discard that the power cuts at any step forgets all or nothing', async () => {
  const sample = new FakeDisk();
  const spill = await openSpill({ disk: sample, segmentBytes: SEGMENT_BYTES });
  for (const text of TEXTS) await store(spill, text);
  await spill.close();
  for (let step = 1; ; step++) {
    const disk = new FakeDisk();
    for (const [name, bytes] of sample.files()) disk.put(name, bytes);
    disk.cutAt = step;
    const deps = { disk, log: fakeLog() };
    const isDone = await discardSpill(DIRECTORY, deps).then(
      () => true,
      () => false,
    );
    for (const fate of ['kept', 'lost'] as const) {
      const left = await summarizeSpill(
        DIRECTORY,
        disk.afterPowerCut(() => fate),
      );
      assert.ok(left.records === 0 || (!isDone && left.records === TEXTS.length), `step ${step}`);
    }
    if (disk.steps < step) break; // it ran to its end
  }
});
