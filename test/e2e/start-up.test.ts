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
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pairConfig } from './replica-pair.ts';

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
