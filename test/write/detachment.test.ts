import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ProxyError } from '../../src/core/errors.ts';
import { DetachedMarker } from '../../src/spill/detached-marker.ts';
import { Detachment } from '../../src/write/detachment.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';

const FILE = '/data/detached/a.json';

function open(disk: FakeDisk, clock = new FakeClock(), log = fakeLog()): Promise<Detachment> {
  const marker = new DetachedMarker(FILE, disk);
  const options = { name: 'a', onSpillFull: 'detach', writeOnly: false } as const;
  return Detachment.open(options, { marker, clock, log });
}

test('it is loud, for good, and counts what was missed', async () => {
  const [disk, clock, log] = [new FakeDisk(), new FakeClock(), fakeLog()];
  const detachment = await open(disk, clock, log);
  assert.deepEqual([detachment.isDetached, detachment.isHolder], [false, true]);
  assert.equal(detachment.state, undefined);

  await Promise.all([detachment.detach('full'), detachment.detach('full')]);
  await detachment.detach('full');
  detachment.miss(3);
  detachment.miss(4);
  const state = { since: '2023-11-14T22:13:20.000Z', reason: 'full', missedPoints: 7 };
  assert.deepEqual(detachment.state, state);
  assert.deepEqual([detachment.isDetached, detachment.isHolder], [true, false]);
  assert.equal(detachment.signal.aborted, true);
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message]),
    [['error', 'backend is detached']],
  );

  // The count is saved now and then.
  assert.equal((await open(disk)).state?.missedPoints, 0);
  await clock.advance(10_000);
  assert.deepEqual((await open(disk)).state, state);
  detachment.miss(1);
  await detachment.close();
  detachment.miss(1);
  const later = fakeLog();
  assert.equal((await open(disk, clock, later)).state?.missedPoints, 8);
  assert.equal(later.lines[0]?.level, 'error');
  assert.equal(clock.pending, 0);
});

test('whatever is in the file, it is there', async () => {
  for (const text of ['', '{', 'null', '[]', '{"since":1,"missedPoints":"x"}', 'x'.repeat(9999)]) {
    const disk = new FakeDisk();
    disk.put(FILE, Buffer.from(text));
    const detachment = await open(disk);
    assert.deepEqual(detachment.state, { since: '', reason: '', missedPoints: 0 }, text);
    assert.equal(detachment.signal.aborted, true);
  }
});

test('a disk that cannot tell keeps the proxy from starting', async () => {
  const disk = new FakeDisk();
  disk.put(FILE, Buffer.from('{}'));
  disk.faultFrom = 0;
  disk.faultTo = 2;
  await assert.rejects(open(disk), { code: 'SPILL_FAILED' });
});

test('a disk that fails at any step leaves it attached, or in doubt, never wrongly trusted', async () => {
  for (let step = 1; ; step++) {
    for (const length of [1, 3, 99]) {
      const disk = new FakeDisk();
      const detachment = await open(disk);
      disk.faultFrom = disk.steps + step;
      disk.faultTo = disk.faultFrom + length;
      const error: unknown = await detachment.detach('full').catch((reason: unknown) => reason);
      const isReached = disk.steps >= disk.faultFrom;
      disk.faultFrom = Infinity;
      const hint = `step ${step}, ${length} long`;
      const later = await open(disk.afterPowerCut(() => 'kept'));
      if (!isReached) {
        assert.ok(later.isDetached);
        return;
      }
      // Closing the draft may fail after everything is on disk.
      assert.ok(error === undefined || error instanceof ProxyError, hint);
      assert.equal(detachment.isDetached, error === undefined, hint);
      // Whoever counts on it must find it attached after a restart, whatever the disk has kept.
      if (detachment.isHolder) assert.equal(later.isDetached, false, hint);
      // The next one that lacks room tries again.
      await detachment.detach('full');
      assert.ok(detachment.isDetached, hint);
      assert.ok((await open(disk.afterPowerCut(() => 'lost'))).isDetached, hint);
    }
  }
});

test('a disk that never lets it be detached is logged now and then, not at each write that asks for it', async () => {
  const [disk, clock, log] = [new FakeDisk(), new FakeClock(), fakeLog()];
  const detachment = await open(disk, clock, log);
  [disk.faultFrom, disk.faultTo] = [disk.steps + 1, Infinity];
  for (let attempts = 0; attempts < 100; attempts++) {
    await assert.rejects(detachment.detach('full'), { code: 'SPILL_FAILED' });
    await clock.advance(1_000);
  }
  assert.equal(log.lines.length, 2);
});
