import path from 'node:path';
import { type Disk, type DiskFile, DRAFT_SUFFIX } from './disk.ts';
import type { Segment } from './segment.ts';
import { type DamagedRegion, SegmentReader } from './segment-reader.ts';

const COPY_BYTES = 1024 * 1024;

/**
 * Copies the region to `<segment>.<start>.bad`, for people to look at, and returns that file's name. `undefined`
 * when it could not: damage on a full disk must not stop what is behind it, and of a bad sector only the segment
 * itself may one day tell more.
 */
export async function keepDamage(
  disk: Disk,
  segment: Segment,
  region: DamagedRegion,
): Promise<string | undefined> {
  const target = `${segment.file}.${region.start}.bad`;
  const draft = `${target}${DRAFT_SUFFIX}`;
  try {
    await disk.remove(draft);
    const file = await disk.open(draft, 'create');
    try {
      await SegmentReader.with(disk, segment, (reader) => copy(reader, region, file));
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(draft, target);
    await disk.syncDirectory(path.dirname(target));
    return target;
  } catch {
    await disk.remove(draft).catch(() => undefined);
    return undefined;
  }
}

async function copy(reader: SegmentReader, region: DamagedRegion, to: DiskFile): Promise<void> {
  for (let at = region.start; at < region.end;) {
    const bytes = await reader.read(at, Math.min(COPY_BYTES, region.end - at));
    if (bytes.length === 0) break;
    await to.write([bytes], at - region.start);
    at += bytes.length;
  }
  if (reader.hasUnreadable) throw new Error('the damage cannot be read');
}
