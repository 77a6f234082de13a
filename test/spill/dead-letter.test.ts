import { strict as assert } from 'node:assert';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type DeadPoint, DeadLetter } from '../../src/spill/dead-letter.ts';
import { nodeDisk } from '../../src/spill/disk.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { tempDir } from '../support/temp-dir.ts';

function point(line: string | Buffer): DeadPoint {
  const error = 'field type conflict';
  return { timeMs: 0, error, db: 'db', rp: '', precision: 'ns', line: Buffer.from(line) };
}

const TEXT_OF_CPU =
  '{"time":"1970-01-01T00:00:00.000Z","error":"field type conflict","db":"db","rp":"","precision":"ns","line":"cpu v=1"}\n';

test('a refused point is a line of JSON that holds the same bytes', async (t) => {
  const file = path.join(await tempDir(t), 'folder', 'dead-letter.jsonl');
  const deadLetter = await DeadLetter.open(file, nodeDisk);
  await deadLetter.append([point('cpu v=1')]);
  assert.equal(await readFile(file, 'utf8'), TEXT_OF_CPU);

  const check = async (line: string | Buffer): Promise<void> => {
    await deadLetter.append([point(line)]);
    const text = (await readFile(file, 'utf8')).trimEnd().split('\n').at(-1) ?? '';
    const read = JSON.parse(text) as { line?: string; lineBase64?: string };
    const bytes =
      read.line === undefined
        ? Buffer.from(read.lineBase64 ?? '', 'base64')
        : Buffer.from(read.line);
    assert.deepEqual(bytes, Buffer.from(line));
  };

  await check('cpu,host=a v="two\nlines",w="tab\t quote\\" nul\0"');
  await check('température v=1');
  await check('');

  // Not UTF-8
  await check(Buffer.from([0x63, 0xff, 0xfe]));
  await check(Buffer.from([0xed, 0xa0, 0x80])); // a surrogate
});

test('it counts what is in the file, also after a restart', async (t) => {
  const file = path.join(await tempDir(t), 'dead-letter.jsonl');
  const deadLetter = await DeadLetter.open(file, nodeDisk);
  assert.deepEqual([deadLetter.entries, deadLetter.bytes], [0, 0]);
  await Promise.all([deadLetter.append([point('a'), point('b')]), deadLetter.append([point('c')])]);
  const { length } = await readFile(file);
  assert.deepEqual([deadLetter.entries, deadLetter.bytes], [3, length]);
  const again = await DeadLetter.open(file, nodeDisk);
  assert.deepEqual([again.entries, again.bytes], [3, length]);
});

test('the file may be moved away, emptied or cut off at any time', async (t) => {
  const file = path.join(await tempDir(t), 'dead-letter.jsonl');
  const deadLetter = await DeadLetter.open(file, nodeDisk);
  await deadLetter.append([point('a'), point('b')]);
  await rename(file, `${file}.1`);
  await deadLetter.append([point('cpu v=1')]);
  assert.equal(await readFile(file, 'utf8'), TEXT_OF_CPU);
  assert.equal(deadLetter.entries, 1);

  await writeFile(file, '');
  await deadLetter.append([point('cpu v=1')]);
  assert.equal(await readFile(file, 'utf8'), TEXT_OF_CPU);

  // A crash left half a line.
  await writeFile(file, TEXT_OF_CPU + TEXT_OF_CPU.slice(0, 20));
  const again = await DeadLetter.open(file, nodeDisk);
  assert.deepEqual([again.entries, again.bytes], [1, TEXT_OF_CPU.length]);
  await again.append([point('cpu v=1')]);
  assert.equal(await readFile(file, 'utf8'), TEXT_OF_CPU + TEXT_OF_CPU);
});

test('after a power cut, or a failing call, at every step each appended point is there', async () => {
  const file = '/dead/letter.jsonl';
  const script = async (disk: FakeDisk): Promise<string[]> => {
    const kept: string[] = [];
    for (const text of ['a', 'b', 'c'])
      await DeadLetter.open(file, disk)
        .then((deadLetter) => deadLetter.append([point(text)]))
        .then(() => kept.push(text))
        .catch(() => undefined);
    return kept;
  };
  const linesOf = (disk: FakeDisk): string[] => {
    const lines = disk.files().get(file)?.toString().split('\n') ?? [];
    return lines.slice(0, -1).map((line) => (JSON.parse(line) as { line: string }).line);
  };

  for (let step = 1; step < 40; step++) {
    const cut = new FakeDisk();
    cut.cutAt = step;
    const kept = await script(cut);
    const after = cut.afterPowerCut(() => 'lost');
    assert.deepEqual(linesOf(after).slice(0, kept.length), kept, `power cut at step ${step}`);

    const full = new FakeDisk();
    full.faultCode = 'ENOSPC';
    full.faultFrom = step;
    full.faultTo = step + 1;
    assert.deepEqual(await script(full), linesOf(full), `disk full at step ${step}`);
  }
});
