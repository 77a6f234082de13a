import { strict as assert } from 'node:assert';
import { chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import type { DeadPoint } from '../../src/spill/dead-point.ts';
import { DeadLetterFiles, type Rewrite } from '../../src/spill/dead-letter-files.ts';
import { decodeDeadPoint, encodeDeadPoint } from '../../src/spill/dead-point.ts';
import { type Disk, type DiskFile, nodeDisk } from '../../src/spill/disk.ts';
import { type Fate, FakeDisk } from '../support/fake-disk.ts';
import { tempDir } from '../support/temp-dir.ts';
import { randomFrom } from '../support/random.ts';

const FILE = '/dead-letter/east.jsonl';

function point(line: string): DeadPoint {
  const error = 'field type conflict';
  return { timeMs: 0, error, db: 'db', rp: '', precision: 'ns', line: Buffer.from(line) };
}

function jsonOf(...lines: string[]): string {
  return lines.map((line) => encodeDeadPoint(point(line))).join('');
}

function diskWith(...lines: string[]): FakeDisk {
  const disk = new FakeDisk();
  disk.put(FILE, Buffer.from(jsonOf(...lines)));
  return disk;
}

async function shown(disk: Disk): Promise<string[]> {
  const all: string[] = [];
  for await (const line of new DeadLetterFiles(FILE, disk).lines())
    all.push(decodeDeadPoint(line.toString())?.line.toString() ?? line.toString());
  return all;
}

/** Drops the dead letters of these lines. */
function without(...dropped: string[]): Rewrite {
  return async function* (lines) {
    for await (const line of lines) {
      const text = decodeDeadPoint(line.toString())?.line.toString();
      if (text === undefined || !dropped.includes(text)) yield line;
    }
  };
}

/** The same disk, whose calls wait for `before` with their number first. */
function stepwise(disk: Disk, before: (step: number) => Promise<void>): Disk {
  let steps = 0;
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (_, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          steps += 1;
          await before(steps);
          const result: unknown = await Reflect.apply(method, target, args);
          return name === 'open' ? wrap(result as DiskFile) : result;
        };
      },
    });
  return wrap(disk);
}

test('a rewrite leaves what is kept, and no file when nothing is', async () => {
  const disk = diskWith('a', 'b', 'c');
  const files = new DeadLetterFiles(FILE, disk);
  await files.rewrite(without('b'));
  assert.deepEqual(disk.files(), new Map([[FILE, Buffer.from(jsonOf('a', 'c'))]]));
  assert.equal(await files.bytes(), jsonOf('a', 'c').length);
  await files.rewrite(without('a', 'c'));
  assert.deepEqual(disk.files(), new Map());
  await files.rewrite(without('a'));
  assert.deepEqual(disk.files(), new Map());
  assert.deepEqual([await shown(disk), await files.bytes()], [[], 0]);
});

test('lines that people have changed are kept as they are, half a line is not', async () => {
  const check = async (before: string, after: string): Promise<void> => {
    const disk = new FakeDisk();
    disk.put(FILE, Buffer.from(before));
    await new DeadLetterFiles(FILE, disk).rewrite(without('a'));
    assert.equal(disk.files().get(FILE)?.toString(), after, before);
  };

  await check(`${jsonOf('a')}# a note\n\n{"error":1}\n`, '# a note\n{"error":1}\n');
  await check(jsonOf('a', 'b').trimEnd(), jsonOf('b')); // an editor dropped the last newline
  await check(jsonOf('b') + jsonOf('b').slice(0, 20), jsonOf('b'));
});

test('a rewrite that fails keeps everything', async () => {
  const disk = diskWith('a', 'b');
  const failing: Rewrite = async function* (lines) {
    for await (const line of lines) {
      yield line;
      throw new Error('no route to host');
    }
  };
  await assert.rejects(new DeadLetterFiles(FILE, disk).rewrite(failing), /no route to host/);
  assert.equal(disk.files().get(FILE)?.toString(), jsonOf('a', 'b'));
});

test('lines are read whole across any boundary', async (t) => {
  const file = path.join(await tempDir(t), 'east.jsonl');
  const lines = Array.from({ length: 60 }, (_, index) => `cpu v="${'x'.repeat(index * 1000)}"`);
  await writeFile(file, jsonOf(...lines));
  const files = new DeadLetterFiles(file, nodeDisk);
  const read: string[] = [];
  for await (const line of files.lines()) read.push(`${line.toString()}\n`);
  assert.equal(read.join(''), jsonOf(...lines));
  await files.rewrite((all) => all);
  assert.equal(await readFile(file, 'utf8'), jsonOf(...lines));
  assert.deepEqual(await readdir(path.dirname(file)), ['east.jsonl']);
});

/** `disturb` before the step; and whether there was such a step. */
function disturbed(
  disk: Disk,
  at: number,
  disturb: () => Promise<void>,
): { disk: Disk; wasReached: () => boolean } {
  let wasReached = false;
  const wrapped = stepwise(disk, async (step) => {
    if (step !== at) return;
    wasReached = true;
    await disturb();
  });
  return { disk: wrapped, wasReached: () => wasReached };
}

test('a whole command between any two steps of an append loses nothing', async () => {
  for (const before of [[], ['a']])
    for (let at = 1, isOver = false; !isOver; at++) {
      const disk = diskWith(...before, 'b');
      const files = new DeadLetterFiles(FILE, disk);
      const seam = disturbed(disk, at, () => files.rewrite(without('b')));
      const deadLetter = await DeadLetter.open(FILE, seam.disk);
      await deadLetter.append([point('new')]);
      isOver = !seam.wasReached();
      const hint = `step ${at}: ${(await shown(disk)).join()}`;
      // What was written to a file that had lost its name is there a second time.
      const left = [...new Set(await shown(disk))];
      assert.deepEqual(left, [...before, ...(isOver ? ['b'] : []), 'new'], hint);
      assert.deepEqual([...disk.files().keys()], [FILE], hint);
      await deadLetter.append([point('later')]);
      assert.equal((await shown(disk)).at(-1), 'later', hint);
    }
});

test('a whole append between any two steps of a command loses nothing', async () => {
  for (const before of [[], ['a']])
    for (let at = 1, isOver = false; !isOver; at++) {
      const disk = diskWith(...before, 'b');
      const deadLetter = await DeadLetter.open(FILE, disk);
      const seam = disturbed(disk, at, () => deadLetter.append([point('new')]));
      await new DeadLetterFiles(FILE, seam.disk).rewrite(without('b'));
      isOver = !seam.wasReached();
      const left = [...before, ...(isOver ? [] : ['new'])];
      assert.deepEqual(await shown(disk), left, `step ${at}`);
      await deadLetter.append([point('later')]);
      assert.deepEqual(await shown(disk), [...left, 'later'], `step ${at}`);
    }
});

const FATES: readonly (() => Fate)[] = [
  () => 'kept',
  () => 'lost',
  ...Array.from({ length: 3 }, (_, seed) => {
    const random = randomFrom(seed);
    return (): Fate => (random() < 0.5 ? 'kept' : 'lost');
  }),
];

test('a command that fails, is killed, or whose machine is, at any step loses nothing that is to be kept', async () => {
  for (const lasts of [false, true])
    for (let step = 1, isDone = false; !isDone; step++) {
      const disk = diskWith('a', 'b', 'c');
      const kept = ['a', 'c'];
      const files = new DeadLetterFiles(
        FILE,
        stepwise(disk, async (at) => {
          if (at === step || (lasts && at > step)) throw new Error('killed');
          if (at !== 5) return;
          const deadLetter = await DeadLetter.open(FILE, disk);
          await deadLetter.append([point('new')]);
          kept.push('new');
        }),
      );
      isDone = await files.rewrite(without('b')).then(
        () => true,
        () => false,
      );
      for (const state of [disk, ...FATES.map((fate) => disk.afterPowerCut(fate))]) {
        const seen = await shown(state);
        const hint = `step ${step}, ${String(lasts)}: ${seen.join()}`;
        for (const line of kept) assert.ok(seen.includes(line), hint);
        // The next command puts everything back under the one name.
        await new DeadLetterFiles(FILE, state).rewrite(without('b'));
        assert.deepEqual([...state.files().keys()], [FILE], hint);
        assert.deepEqual([...new Set(await shown(state))], kept, hint);
      }
    }
});

test('what is put back belongs to whom the directory belongs to', async (t) => {
  const directory = path.join(await tempDir(t), 'dead-letter');
  await mkdir(directory);
  const file = path.join(directory, 'east.jsonl');
  await writeFile(file, jsonOf('a', 'b'));
  const { uid: me } = await stat(directory);
  const owner = me === 0 ? 12_345 : me; // only root can give files away
  await chown(directory, owner, me === 0 ? owner : -1);
  await new DeadLetterFiles(file, nodeDisk).rewrite(without('a'));
  assert.equal(await readFile(file, 'utf8'), jsonOf('b'));
  assert.equal((await stat(file)).uid, owner);
});

test('appends and commands that go on together lose nothing on a real disk', async (t) => {
  const file = path.join(await tempDir(t), 'east.jsonl');
  const deadLetter = await DeadLetter.open(file, nodeDisk);
  const files = new DeadLetterFiles(file, nodeDisk);
  const names = Array.from({ length: 200 }, (_, index) => `m${index} v=1 1`);
  const appends = (async () => {
    for (const name of names) await deadLetter.append([point(name)]);
    return 'done';
  })();
  const dropped = new Set<string>();
  const dropEveryThird: Rewrite = async function* (lines) {
    for await (const line of lines) {
      const text = decodeDeadPoint(line.toString())?.line.toString() ?? '';
      if (/^m\d*[147] /.test(text)) dropped.add(text);
      else yield line;
    }
  };
  let rewrites = 0;
  for (let state = ''; state !== 'done'; rewrites++) {
    await files.rewrite(dropEveryThird);
    state = await Promise.race([appends, Promise.resolve('under way')]);
  }
  await files.rewrite(dropEveryThird);
  assert.ok(rewrites > 3, `${rewrites} rewrites`);
  const left: string[] = [];
  for await (const line of files.lines())
    left.push(decodeDeadPoint(line.toString())?.line.toString() ?? '');
  assert.deepEqual([...new Set([...left, ...dropped])].sort(), names.toSorted());
  assert.deepEqual(
    [...new Set(left)],
    names.filter((name) => !dropped.has(name)),
  );
});
