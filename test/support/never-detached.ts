import { systemClock } from '../../src/core/time.ts';
import { DetachedMarker } from '../../src/spill/detached-marker.ts';
import { FreeSpace } from '../../src/spill/free-space.ts';
import { Detachment } from '../../src/write/detachment.ts';
import { FakeDisk } from './fake-disk.ts';
import { fakeLog } from './fake-log.ts';

/** What a sender needs of its bounds, for tests of other things: it is never given up, the disk is never low. */
export async function neverDetached(
  name: string,
): Promise<{ detachment: Detachment; space: FreeSpace }> {
  const deps = { disk: new FakeDisk(), clock: systemClock, log: fakeLog() };
  const marker = new DetachedMarker('/marker', deps.disk);
  return {
    detachment: await Detachment.open(
      { name, onSpillFull: 'reject', writeOnly: false },
      { ...deps, marker },
    ),
    space: new FreeSpace('/', deps),
  };
}
