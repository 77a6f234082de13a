import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/core/time.ts';
import { DirectoryLock } from '../../src/spill/lock.ts';
import { stopped } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const HOLDER = path.join(import.meta.dirname, 'lock-holder.js');

/** Starts a process that tries to lock the directory; resolves with its answer. */
async function holder(
  t: TestContext,
  directory: string,
): Promise<{ child: ChildProcess; answer: string }> {
  const child = spawn(process.execPath, [HOLDER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [answer] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, answer: answer.toString().trim() };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

async function assertFree(directory: string): Promise<void> {
  const lock = await DirectoryLock.acquire(directory, systemClock);
  await lock.release();
  assert.deepEqual(await readdir(directory), []);
}

async function assertLocked(directory: string): Promise<void> {
  await assert.rejects(DirectoryLock.acquire(directory, systemClock), {
    code: 'DATA_DIR_LOCKED',
    message: `another process uses the data directory ${directory}`,
  });
}

test('a directory has one owner, within a process too (D13, D14)', async (t) => {
  const directory = await tempDir(t);
  const lock = await DirectoryLock.acquire(directory, systemClock);
  await assertLocked(directory);
  await lock.release();
  await lock.release();
  await assertFree(directory);
});

test('the kernel releases the lock of a process that is killed, and no other', async (t) => {
  const directory = await tempDir(t);
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const { child, answer } = await holder(t, directory);
    assert.equal(answer, 'held');
    await assertLocked(directory);
    assert.equal((await holder(t, directory)).answer, 'DATA_DIR_LOCKED');
    await assertLocked(directory);
    await end(child, signal);
    await assertFree(directory);
  }
});

test('a process that is stopped still has the lock', async (t) => {
  const directory = await tempDir(t);
  const { child } = await holder(t, directory);
  child.kill('SIGSTOP');
  assert.ok(child.pid !== undefined);
  await stopped(child.pid);
  await assertLocked(directory);
  await end(child, 'SIGKILL');
  await assertFree(directory);
});

test('of many that start at once, at the place of one that was killed, exactly one gets in', async (t) => {
  const directory = await tempDir(t);
  for (let round = 0; round < 3; round++) {
    const holders = await Promise.all([1, 2, 3, 4].map(() => holder(t, directory)));
    const answers = holders.map(({ answer }) => answer).sort();
    assert.deepEqual(answers, [...Array<string>(3).fill('DATA_DIR_LOCKED'), 'held']);
    const winner = holders.find(({ answer }) => answer === 'held');
    assert.ok(winner !== undefined);
    await end(winner.child, 'SIGKILL');
  }
  const here = Array.from({ length: 20 }, () => DirectoryLock.acquire(directory, systemClock));
  const got = (await Promise.allSettled(here)).filter(({ status }) => status === 'fulfilled');
  assert.equal(got.length, 1);
});

test('a path that is too long for a socket is locked all the same', async (t) => {
  const directory = path.join(await tempDir(t), 'long'.repeat(30));
  await mkdir(directory);
  const { child, answer } = await holder(t, directory);
  assert.equal(answer, 'held');
  await assertLocked(directory);
  await end(child, 'SIGKILL');
  await assertFree(directory);
});

test('a directory that cannot be written to is a clear refusal', async (t) => {
  const directory = path.join(await tempDir(t), 'absent');
  await assert.rejects(DirectoryLock.acquire(directory, systemClock), {
    code: 'DATA_DIR_LOCKED',
    message: `cannot lock the data directory ${directory}`,
  });
});

test('whoever gets at the directory can see whether its owner lives', async (t) => {
  const directory = await tempDir(t);
  const lock = await DirectoryLock.acquire(directory, systemClock);
  const [name = ''] = await readdir(directory);
  const { mode } = await stat(path.join(directory, name));
  assert.equal(mode & 0o222, 0o222);
  await lock.release();
});

test('files that are no sockets do not block', async (t) => {
  const directory = await tempDir(t);
  await writeFile(path.join(directory, 'lock.0123456789abcdef.held'), '');
  await assertFree(directory);
});
