import { strict as assert } from 'node:assert';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/core/time.ts';
import { startDaemon } from '../../src/daemon.ts';
import { eventually } from '../support/eventually.ts';
import { fakeLog } from '../support/fake-log.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { freePort } from '../support/free-port.ts';
import { type HttpAnswer, httpRequest } from '../support/http-client.ts';
import type { Meta } from '../support/meta.ts';
import { type ScriptedBackend, scriptedBackend } from '../support/scripted-backend.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pairConfig } from './replica-pair.ts';

// The daemon in this process, because a disk cannot be made full from outside without the rights to mount one.

interface Bench {
  readonly folder: string;
  readonly log: ReturnType<typeof fakeLog>;
  readonly disk: FaultyDisk;
  readonly a: ScriptedBackend;
  readonly b: ScriptedBackend;
  /** One point; the answer. */
  readonly write: () => Promise<HttpAnswer>;
  /** The points that were answered 204. */
  readonly acknowledged: string[];
  readonly meta: () => Promise<Meta>;
  readonly untilLow: (isLow: boolean) => Promise<void>;
  readonly untilState: (state: string) => Promise<void>;
}

async function bench(t: TestContext, onSpillFull: 'detach' | 'reject'): Promise<Bench> {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const folder = await tempDir(t);
  const port = await freePort();
  const file = path.join(folder, 'config.json');
  const own = { listenAddr: `127.0.0.1:${port}`, dataDir: path.join(folder, 'data') };
  await writeFile(file, JSON.stringify(pairConfig([a.url, b.url], { onSpillFull }, own)));
  const disk = new FaultyDisk();
  const log = fakeLog();
  const daemon = await startDaemon(loadConfig(file), {
    clock: systemClock,
    log,
    disk: disk.disk,
    random: Math.random,
    version: '0',
  });
  t.after(() => daemon.close());
  const url = `http://127.0.0.1:${port}`;
  const acknowledged: string[] = [];
  let written = 0;
  const write = async (): Promise<HttpAnswer> => {
    const body = `m v=1 ${++written}\n`;
    const answer = await httpRequest(`${url}/write?db=metrics`, { body });
    if (answer.status === 204) acknowledged.push(body);
    return answer;
  };
  const meta = async (): Promise<Meta> => {
    return JSON.parse((await httpRequest(`${url}/meta`)).text) as Meta;
  };
  const untilLow = async (isLow: boolean): Promise<void> => {
    await eventually(`isLow ${isLow}`, async () => (await meta()).disk.isLow === isLow);
  };
  const untilState = async (state: string): Promise<void> => {
    await eventually(state, async () => (await meta()).backends['b']?.state === state);
  };
  await untilState('complete');
  return { folder, log, disk, a, b, write, acknowledged, meta, untilLow, untilState };
}

for (const code of ['ENOSPC', 'EIO'] as const) {
  test(`${code} while spilling is a 503 for those concerned; the spill stays, and works again`, async (t) => {
    const { disk, b, write, acknowledged, meta, untilState } = await bench(t, 'detach');
    b.answer(503);
    for (let writes = 0; writes < 5; writes++) assert.equal((await write()).status, 204);
    await untilState('catching up');
    disk.code = code;
    for (let writes = 0; writes < 5; writes++) {
      const answer = await write();
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.text, new RegExp(`cannot write to the spill: ${code}`));
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    assert.equal((await meta()).backends['b']?.backlog.points, 5);
    disk.code = undefined;
    for (let writes = 0; writes < 5; writes++) assert.equal((await write()).status, 204);
    assert.equal((await meta()).backends['b']?.backlog.points, 10);
    const before = b.writes.length;
    b.answer();
    await untilState('complete');
    assert.equal(b.writes.slice(before).join(''), acknowledged.join(''));
  });
}

const LOW = { freeBytes: 1_000_000, totalBytes: 1e12 };

test('with little free space a healthy proxy goes on, and an outage counts as a full spill', async (t) => {
  const { disk, a, b, write, untilLow, untilState } = await bench(t, 'reject');
  disk.size = LOW;
  await untilLow(true);
  assert.equal((await write()).status, 204);
  // What was under way when the backend failed is kept in the reserve.
  b.answer(503);
  assert.equal((await write()).status, 204);
  await untilState('catching up');
  const { status, text, headers } = await write();
  assert.equal(status, 503);
  assert.match(text, /no room left in the spill of b/);
  assert.match(headers['retry-after'] ?? '', /^\d+$/);
  assert.equal(a.writes.length, 2, 'nothing is sent that cannot be kept');

  disk.size = { ...LOW, freeBytes: 1e11 };
  await untilLow(false);
  assert.equal((await write()).status, 204);
});

test('with little free space a backend that fails is detached, if that is what is wanted', async (t) => {
  const { disk, a, b, write, acknowledged, meta, untilLow, untilState } = await bench(t, 'detach');
  disk.size = LOW;
  await untilLow(true);
  b.answer(503);
  assert.equal((await write()).status, 204);
  await untilState('catching up');
  assert.equal((await write()).status, 204);
  assert.equal((await meta()).backends['b']?.state, 'detached');
  assert.equal((await meta()).backends['b']?.detached?.missedPoints, 1);
  assert.equal(a.writes.join(''), acknowledged.join(''));

  // The last one is not given up.
  a.answer(503);
  assert.equal((await write()).status, 204);
  await eventually('503', async () => (await write()).status === 503);
  assert.equal((await meta()).backends['a']?.state, 'catching up');
});

test('while the disk takes nothing at all, nobody is detached', async (t) => {
  const { disk, b, write, meta, untilLow, untilState } = await bench(t, 'detach');
  b.answer(503);
  assert.equal((await write()).status, 204);
  await untilState('catching up');
  disk.size = LOW;
  disk.code = 'ENOSPC';
  await untilLow(true);
  const answer = await write();
  assert.equal(answer.status, 503);
  assert.match(answer.text, /cannot detach b: ENOSPC/);
  assert.equal((await meta()).backends['b']?.state, 'catching up');
  disk.code = undefined;
  assert.equal((await write()).status, 204);
  assert.equal((await meta()).backends['b']?.state, 'detached');
});

test('dead letters that have reached their limit hold the replay, and a client is told of what is not kept', async (t) => {
  const { folder, log, b, write, meta, untilState } = await bench(t, 'detach');
  const file = path.join(folder, 'data', 'dead-letter', 'b.jsonl');
  const refusal = {
    status: 400,
    body: '{"error":"partial write: field type conflict dropped=1"}\n',
  };
  await mkdir(path.dirname(file), { recursive: true });
  // A tenth of the spill's limit.
  await writeFile(file, '');
  await truncate(file, 1024 ** 3);

  b.answer(refusal);
  const { status, text } = await write();
  assert.deepEqual([status, text], [400, refusal.body]);
  const has = (message: string): boolean => log.lines.some((line) => line.message === message);
  assert.ok(has('refused points not kept'));

  b.answer(503);
  assert.equal((await write()).status, 204);
  await untilState('catching up');
  b.answer(refusal);
  await eventually('the alarm', () =>
    log.lines.some(
      ({ message, fields }) =>
        message === 'replay failed' && /have reached \d+ bytes/.test(String(fields['reason'])),
    ),
  );
  assert.equal((await meta()).backends['b']?.backlog.points, 1);

  await rm(file);
  await untilState('complete');
  assert.match(await readFile(file, 'utf8'), /"line":"m v=1 2"\}\n$/);
});
