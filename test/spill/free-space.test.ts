import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { nodeDisk } from '../../src/spill/disk.ts';
import { FreeSpace, reserveOf } from '../../src/spill/free-space.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';
import { tempDir } from '../support/temp-dir.ts';

const MIB = 1024 * 1024;

test('the reserve is one percent, within limits', () => {
  const check = (totalMib: number, expectedMib: number): void => {
    assert.equal(reserveOf({ totalBytes: totalMib * MIB }), expectedMib * MIB);
  };

  check(20_000, 200);

  // Small disks: 64 MiB, but never more than a tenth.
  check(1_000, 64);
  check(100, 10);

  // Large ones: 1 GiB is enough for anything that happens between two looks.
  check(10_000_000, 1024);
});

test('a disk is low below its reserve, and has room again a little above it', async () => {
  const disk = new FakeDisk();
  const [clock, log] = [new FakeClock(), fakeLog()];
  const space = new FreeSpace('/data', { disk, clock, log });
  const check = async (freeMib: number, isLow: boolean): Promise<void> => {
    disk.size = { freeBytes: freeMib * MIB, totalBytes: 10_000 * MIB };
    await clock.advance(250);
    assert.equal(space.isLow, isLow, `${freeMib} MiB`);
    assert.equal(space.freeBytes, freeMib * MIB);
  };
  const running = space.run();
  await check(101, false);
  await check(99, true);
  await check(90, true);
  await check(109, true);
  await check(111, false);
  await check(0, true);
  assert.deepEqual(
    log.lines.map(({ level, message }) => `${level}: ${message}`),
    ['error: disk is nearly full', 'info: disk has room again', 'error: disk is nearly full'],
  );

  space.close();
  await running;
  assert.equal(clock.pending, 0);
});

test('a disk that does not tell is as it was, and that is said once', async () => {
  const disk = new FakeDisk();
  const [clock, log] = [new FakeClock(), fakeLog()];
  const space = new FreeSpace('/data', { disk, clock, log });
  disk.size = { freeBytes: 0, totalBytes: 1 };
  await space.look();
  disk.faultFrom = 0;
  await space.look();
  await space.look();
  assert.equal(space.isLow, true);
  assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
});

test('the real disk tells its space', async (t) => {
  const { freeBytes, totalBytes } = await nodeDisk.space(await tempDir(t));
  assert.ok(freeBytes > 0 && totalBytes > freeBytes, `${freeBytes} of ${totalBytes}`);
});
