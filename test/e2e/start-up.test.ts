import { strict as assert } from 'node:assert';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/core/time.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { type Disk, nodeDisk } from '../../src/spill/disk.ts';
import { fakeLog } from '../support/fake-log.ts';
import { freePort } from '../support/free-port.ts';
import { httpRequest } from '../support/http-client.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tempDir } from '../support/temp-dir.ts';
import { drained, pairConfig } from './replica-pair.ts';

test('a start that fails in the middle lets go of the directory, so that the next one succeeds', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const folder = await tempDir(t);
  const listenAddr = `127.0.0.1:${await freePort()}`;
  const own = { listenAddr, dataDir: path.join(folder, 'data') };
  const file = path.join(folder, 'config.json');
  await writeFile(file, JSON.stringify(pairConfig([a.url, b.url], {}, own)));
  const start = (disk: Disk): Promise<Daemon> =>
    startDaemon(loadConfig(file), {
      clock: systemClock,
      log: fakeLog(),
      disk,
      random: Math.random,
      version: '0',
    });
  const broken: Disk = {
    ...nodeDisk,
    list: (directory) =>
      directory.endsWith('/b')
        ? Promise.reject(Object.assign(new Error('EIO: bad sector'), { code: 'EIO' }))
        : nodeDisk.list(directory),
  };

  await assert.rejects(start(broken), {
    code: 'SPILL_FAILED',
    message: `cannot open the spill in ${path.join(own.dataDir, 'spill', 'b')}: EIO: bad sector`,
  });
  const daemon = await start(nodeDisk);
  t.after(() => daemon.close());
  const url = `http://${listenAddr}/write?db=metrics`;
  assert.equal((await httpRequest(url, { body: 'm v=1 1\n' })).status, 204);
});

test('a backlog of a backend that the configuration does not name any more is said loudly, and kept', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const config = pairConfig([a.url, b.url]);
  const proxy = await startProxy(t, config);
  await drained(proxy);
  const complaints = () =>
    proxy
      .logged('the configuration lacks a backend')
      .map(({ level, backend, points, isDetached }) => ({ level, backend, points, isDetached }));
  await b.down();
  assert.equal((await proxy.request('/write?db=metrics', { body: 'm v=1 1\n' })).status, 204);

  const { a: first, b: second } = config.backends;
  assert.ok(first !== undefined && second !== undefined);
  const renamed = { backends: { a: first, c: second }, keymaps: { _default_: ['a', 'c'] } };
  await proxy.kill();
  await proxy.configure({ ...config, ...renamed });
  await proxy.start();
  const complaint = { level: 'error', backend: 'b', points: 1, isDetached: false };
  assert.deepEqual(complaints(), [complaint]);

  await proxy.kill();
  await proxy.configure(config);
  await b.up();
  await proxy.start();
  await drained(proxy);
  assert.deepEqual(b.writes, ['m v=1 1\n']);
  assert.equal(complaints().length, 1);
});
