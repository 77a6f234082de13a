import { strict as assert } from 'node:assert';
import path from 'node:path';
import { test } from 'node:test';
import { CURSOR_FILE } from '../../src/spill/cursor.ts';
import type { Spill } from '../../src/spill/spill.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { type LogLine, fakeLog } from '../support/fake-log.ts';
import { DIRECTORY, drain, lastOf, openSpill, store, textsOf } from './harness.ts';

// Three records each.
const SEGMENT_BYTES = 150;
const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
const CURSOR = path.join(DIRECTORY, CURSOR_FILE);

type Files = Map<string, Buffer>;

/** The files of a spill of three segments whose first record is acknowledged. `crash`: it was not closed. */
async function sample(how: 'closed' | 'crash'): Promise<Files> {
  const disk = new FakeDisk();
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  await Promise.all(TEXTS.map((text) => store(spill, text)));
  await spill.ack(lastOf(await spill.peek(1)));
  if (how === 'closed') await spill.close();
  return disk.files();
}

function diskWith(files: Files): FakeDisk {
  const disk = new FakeDisk();
  for (const [name, bytes] of files) disk.put(name, bytes);
  return disk;
}

interface Opened {
  readonly spill: Spill;
  /** Of a record stored afterwards. */
  readonly sequence: number;
  readonly lines: LogLine[];
  readonly texts: string[];
}

/** Opens and drains. It must come back to nothing, whatever was there, and be as good as new. */
async function delivered(files: Files, hint: string): Promise<Opened> {
  const disk = diskWith(files);
  const log = fakeLog();
  const spill = await openSpill({ disk, log, segmentBytes: SEGMENT_BYTES });
  const records = await drain(spill);
  assert.deepEqual(spill.backlog, { records: 0, points: 0, bytes: 0 }, hint);
  assert.equal(spill.usedBytes, 0, hint);
  const bad = [...disk.files().keys()].filter((name) => name.endsWith('.bad'));
  assert.equal(bad.length, spill.damaged, `${hint}: kept aside`);
  assert.equal(lines(log.lines, 'error'), spill.damaged, `${hint}: logged once`);

  const sequence = await store(spill, 'new');
  assert.ok(sequence > (records.at(-1)?.sequence ?? 0), `${hint}: sequence ${sequence} again`);
  assert.deepEqual(textsOf(await drain(spill)), ['new'], hint);
  return { spill, sequence, lines: log.lines, texts: textsOf(records) };
}

function lines(all: readonly LogLine[], level: LogLine['level']): number {
  return all.filter((line) => line.level === level).length;
}

function segmentsOf(files: Files): string[] {
  return [...files.keys()].filter((name) => name.endsWith('.segment')).sort();
}

function changed(files: Files, name: string, change: (bytes: Buffer) => Buffer): Files {
  return new Map([...files, [name, change(Buffer.from(files.get(name) ?? ''))]]);
}

function without(files: Files, name: string): Files {
  return new Map([...files].filter(([each]) => each !== name));
}

/** In order, nothing made up, and at most `missing` of what was due. */
function assertMostOf(texts: readonly string[], missing: number, hint: string): void {
  assert.deepEqual(
    texts,
    TEXTS.filter((text) => texts.includes(text)),
    `${hint}: order`,
  );
  const absent = TEXTS.slice(1).filter((text) => !texts.includes(text));
  assert.ok(absent.length <= missing, `${hint}: lost ${absent.join()}`);
}

test('any byte of a spill flipped: every other record is delivered, nothing corrupt', async () => {
  for (const how of ['closed', 'crash'] as const) {
    const files = await sample(how);
    for (const [name, bytes] of files) {
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of [0x01, 0xff]) {
          const flipped = changed(files, name, (copy) => {
            copy.writeUInt8(copy.readUInt8(at) ^ mask, at);
            return copy;
          });
          const hint = `${how}, ${name}, byte ${at}, mask ${mask}`;
          const { texts, spill, sequence } = await delivered(flipped, hint);
          assert.ok(sequence > TEXTS.length, `${hint}: sequence ${sequence} again`);
          assertMostOf(texts, 1, hint);
          assert.ok(texts.length >= TEXTS.length - 1 || spill.damaged === 1, hint);
        }
      }
    }
  }
});

test('any file of a spill cut anywhere: what is left of it is delivered (D8)', async () => {
  for (const how of ['closed', 'crash'] as const) {
    const files = await sample(how);
    for (const [name, bytes] of files) {
      for (let size = 0; size < bytes.length; size++) {
        const hint = `${how}, ${name} cut to ${size}`;
        const cut = changed(files, name, (copy) => copy.subarray(0, size));
        const { texts } = await delivered(cut, hint);
        const whole = TEXTS.filter((text) => bytes.subarray(0, size).includes(text));
        const inIt = TEXTS.filter((text) => bytes.includes(text));
        assertMostOf(texts, inIt.length - whole.length, hint);
      }
    }
  }
});

test('a torn tail is expected, and is cut off', async () => {
  const files = await sample('crash');
  const last = segmentsOf(files).at(-1) ?? '';
  const check = async (tail: Buffer): Promise<void> => {
    const torn = changed(files, last, (bytes) => Buffer.concat([bytes, tail]));
    const { texts, spill, lines: logged } = await delivered(torn, tail.toString('hex'));
    assert.deepEqual(texts, TEXTS.slice(1));
    assert.deepEqual([spill.damaged, lines(logged, 'info')], [0, 1]);
  };

  const record = files.get(last) ?? Buffer.alloc(0);
  for (let length = 1; length < 38 + 6; length++) await check(record.subarray(0, length));
  await check(Buffer.alloc(1));
  await check(Buffer.alloc(700_000));
});

test('files that are missing, empty, foreign or of another kind', async () => {
  const files = await sample('crash');
  const [first = '', second = '', third = ''] = segmentsOf(files);
  const inFirst = TEXTS.filter((text) => files.get(first)?.includes(text));
  const inSecond = TEXTS.filter((text) => files.get(second)?.includes(text));
  const check = async (damaged: Files, expected: string[], count = 0): Promise<void> => {
    const { texts, spill } = await delivered(damaged, expected.join());
    assert.deepEqual([texts, spill.damaged], [expected, count]);
  };
  const rest = TEXTS.slice(1);

  await check(files, rest);

  // Segments
  await check(
    without(files, second),
    rest.filter((text) => !inSecond.includes(text)),
  );
  await check(
    without(files, first),
    rest.filter((text) => !inFirst.includes(text)),
  );
  await check(
    changed(files, second, () => Buffer.alloc(0)),
    rest.filter((text) => !inSecond.includes(text)),
  );
  await check(
    changed(files, second, () => Buffer.from('mysql binlog or what not')),
    rest.filter((text) => !inSecond.includes(text)),
    1,
  );
  const foreign = path.join(DIRECTORY, `${'4'.padStart(20, '0')}-00000000.segment`);
  await check(new Map([...files, [foreign, files.get(third) ?? Buffer.alloc(0)]]), rest, 1);
  await check(new Map([...files, [foreign, Buffer.alloc(0)]]), rest);

  // The cursor: when in doubt, once more from the oldest record
  await check(without(files, CURSOR), TEXTS);
  await check(
    changed(files, CURSOR, () => Buffer.alloc(0)),
    TEXTS,
  );
  await check(
    changed(files, CURSOR, () => Buffer.alloc(10_000, 'x')),
    TEXTS,
  );
  await check(
    changed(files, first, (bytes) => bytes.subarray(0, 20)),
    TEXTS.slice(inFirst.length),
    1,
  );

  // Leftovers and strangers
  const strangers = ['cursor.tmp', '1.segment', 'notes.txt', `${path.basename(first)}.bak`];
  const extra = strangers.map((name) => [path.join(DIRECTORY, name), Buffer.from('x')] as const);
  await check(new Map([...files, ...extra]), rest);
});

test('a payload that is made to look like a record never becomes one', async () => {
  const disk = new FakeDisk();
  const inner = await openSpill({ disk, directory: '/other' });
  await store(inner, 'forged');
  const forgery = [...disk.files().values()][0] ?? Buffer.alloc(0);
  const spill = await openSpill({ disk });
  assert.ok(spill.tryReserve(1 + forgery.length));
  await spill.append({
    ...{ kind: 'batch', points: 1, db: 'db', rp: '', precision: 'ns' },
    payload: [Buffer.from('x'), forgery],
  });
  await store(spill, 'behind');
  const files = new Map([...disk.files()].filter(([name]) => name.startsWith(DIRECTORY)));
  const [name = ''] = segmentsOf(files);
  const flipped = changed(files, name, (bytes) => {
    bytes.writeUInt8(0, 0);
    return bytes;
  });
  const again = await openSpill({ disk: diskWith(flipped) });
  assert.deepEqual(textsOf(await drain(again)), ['behind']);
});

test('damage met while running: in a record, and in all of a segment', async () => {
  const disk = new FakeDisk();
  const log = fakeLog();
  const spill = await openSpill({ disk, log, segmentBytes: SEGMENT_BYTES });
  await Promise.all(TEXTS.map((text) => store(spill, text)));
  const [first = '', second = ''] = segmentsOf(disk.files());
  disk.files().get(first)?.fill(0);
  // The payload of the second one's first record, which follows a header of 44 bytes.
  disk.files().get(second)?.fill(0, 44, 46);
  assert.deepEqual(textsOf(await drain(spill)), ['five', 'six', 'seven']);
  assert.equal(spill.damaged, 2);
  assert.deepEqual(spill.backlog, { records: 0, points: 0, bytes: 0 });
});
