import { strict as assert } from 'node:assert';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import type { DeadPoint } from '../../src/spill/dead-point.ts';
import { decodeDeadPoint, encodeDeadPoint } from '../../src/spill/dead-point.ts';
import { type Disk, nodeDisk } from '../../src/spill/disk.ts';
import { type Fate, FakeDisk } from '../support/fake-disk.ts';
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

test('a line that JSON would make longer than a string can be is kept too', () => {
  const line = Buffer.alloc(100_000_000, 1);
  assert.ok(decodeDeadPoint(encodeDeadPoint(point(line)))?.line.equals(line));
});

test('points that JSON makes longer than a string can be are written in pieces', async (t) => {
  const file = path.join(await tempDir(t), 'dead-letter.jsonl');
  const sizes: number[] = [];
  const disk: Disk = {
    ...nodeDisk,
    open: async (name, mode) => {
      const open = await nodeDisk.open(name, mode);
      const write = (parts: readonly Buffer[], position: number): Promise<void> => {
        sizes.push(parts.reduce((sum, { length }) => sum + length, 0));
        return open.write(parts, position);
      };
      return { ...open, write };
    },
  };
  const deadLetter = await DeadLetter.open(file, disk);
  // Six bytes of JSON each.
  const line = Buffer.alloc(100_000, 1);
  const points = Array.from({ length: 40 }, () => point(line));
  await deadLetter.append([point('cpu v=1')]);
  await deadLetter.append(points);
  await deadLetter.append([point('cpu v=1')]);
  const largest = Math.max(...sizes);
  assert.ok(largest < 4_000_000, `${largest} bytes at once`);
  const text = await readFile(file, 'utf8');
  const lines = text.trimEnd().split('\n');
  assert.deepEqual([lines.length, lines[0], lines.at(-1)], [42, lines.at(-1), lines[0]]);
  assert.ok(lines.slice(1, -1).every((json) => decodeDeadPoint(json)?.line.equals(line)));
  assert.deepEqual([deadLetter.entries, deadLetter.bytes], [42, text.length]);
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

  // A crash left half a line, or an editor a whole one that is not ended.
  for (const rest of [TEXT_OF_CPU.slice(0, 20), TEXT_OF_CPU.trimEnd()]) {
    const before = TEXT_OF_CPU + rest;
    await writeFile(file, before);
    const again = await DeadLetter.open(file, nodeDisk);
    assert.deepEqual([again.entries, again.bytes], [1, before.length]);
    await again.append([point('cpu v=1')]);
    await again.append([point('cpu v=1')]);
    assert.equal(await readFile(file, 'utf8'), `${before}\n${TEXT_OF_CPU}${TEXT_OF_CPU}`);
    const { entries } = await DeadLetter.open(file, nodeDisk);
    assert.equal(entries, 4);
  }
});

test('when all its files have reached the limit nothing more is taken, until there is room again', async (t) => {
  const file = path.join(await tempDir(t), 'dead-letter.jsonl');
  const deadLetter = await DeadLetter.open(file, nodeDisk, TEXT_OF_CPU.length * 3);
  await deadLetter.append([point('cpu v=1')]);
  await writeFile(`${file}.taken`, TEXT_OF_CPU);
  await deadLetter.append([point('cpu v=1')]);
  const full = {
    code: 'SPILL_FULL',
    message: `the dead letters in ${file} have reached 354 bytes: retry or discard them`,
  };
  await assert.rejects(deadLetter.append([point('cpu v=2')]), full);
  assert.equal(await readFile(file, 'utf8'), TEXT_OF_CPU + TEXT_OF_CPU);
  await rm(`${file}.taken`);
  await deadLetter.append([point('cpu v=1')]);
  await assert.rejects(deadLetter.append([point('cpu v=2')]), full);
});

const FILE = '/dead/letter.jsonl';

/** What can be read of the file; what is left of a failure is not JSON, but stands for itself. */
function lettersOf(disk: FakeDisk): string[] {
  const lines = disk.files().get(FILE)?.toString().split('\n') ?? [];
  return lines.flatMap((line) => decodeDeadPoint(line)?.line.toString() ?? []);
}

/** Appends in two processes; returns what was confirmed. */
async function appendAll(disk: FakeDisk): Promise<string[]> {
  const kept: string[] = [];
  for (const texts of [
    ['a', 'b', 'c'],
    ['d', 'e'],
  ]) {
    const deadLetter = await DeadLetter.open(FILE, disk).catch(() => undefined);
    for (const text of texts) {
      await deadLetter
        ?.append([point(text)])
        .then(() => kept.push(text))
        .catch(() => undefined);
    }
  }
  return kept;
}

test('whatever fails, and then the power, what was appended is there and can be read', async () => {
  const fates: Record<string, () => Fate> = {
    kept: () => 'kept',
    lost: () => 'lost',
    zeros: () => 'zeros',
  };
  const steps = new FakeDisk();
  await appendAll(steps);
  for (const length of [0, 1, 2, 3, 6]) {
    for (let from = 1; from <= steps.steps; from++) {
      for (let cutAt = from; cutAt <= steps.steps + 20; cutAt++) {
        const disk = new FakeDisk();
        Object.assign(disk, { faultFrom: from, faultTo: from + length, faultyPart: 1, cutAt });
        const kept = await appendAll(disk);
        for (const [name, fate] of Object.entries(fates)) {
          const found = new Set(lettersOf(disk.afterPowerCut(fate)));
          const hint = `${length} failures from ${from} on, power cut at ${cutAt}, ${name}`;
          assert.deepEqual(
            kept.filter((text) => !found.has(text)),
            [],
            hint,
          );
        }
      }
    }
  }
});
