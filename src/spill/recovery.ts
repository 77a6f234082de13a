import path from 'node:path';
import type { Log } from '../core/log.ts';
import { type Cursor, loadCursor } from './cursor.ts';
import { type Disk, DRAFT_SUFFIX } from './disk.ts';
import { FOOTER_BYTES, FOOTER_MAGIC } from './footer.ts';
import { decodeHeader, MIN_HEADER_BYTES } from './record.ts';
import { type Segment, segmentOf } from './segment.ts';
import { SegmentReader, type Walk } from './segment-reader.ts';
import { NOTHING, plus, type Totals } from './totals.ts';

/** What is on disk of a spill that nobody has opened yet. */
export interface Recovered {
  readonly directory: string;
  /** Oldest first. The position of the first undelivered byte is in the first of them. */
  readonly segments: readonly Segment[];
  readonly offset: number;
  /** Wholly delivered, oldest first; their files are to be deleted. */
  readonly finished: readonly Segment[];
  /** Of the cursor: no record up to this one is needed. */
  readonly sequence: number;
  /** The cursor on disk agrees with all this. */
  readonly isSaved: boolean;
}

/** Read at once when looking whether a tail is nothing but zeros. */
const TAIL_BYTES = 256 * 1024;

interface RecoveryDeps {
  readonly disk: Disk;
  readonly log: Log;
}

interface Start {
  readonly index: number;
  readonly offset: number;
  readonly delivered: Totals;
}

const OLDEST: Start = { index: 0, offset: 0, delivered: NOTHING };

/**
 * Finds out what is undelivered. It reads each complete segment's footer, and the headers of at most a few others.
 * Damage is left for the reader to meet, only a torn tail is cut off; nothing else is changed or deleted here.
 */
export async function recover(directory: string, deps: RecoveryDeps): Promise<Recovered> {
  const names = await deps.disk.list(directory);
  await removeDrafts(directory, names, deps.disk);
  const segments = names
    .map((name) => segmentOf(directory, name))
    .filter((segment) => segment !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const isSealed = new Map<Segment, boolean>();
  for (const segment of segments) isSealed.set(segment, await measure(segment, deps.disk));

  const cursor = await loadCursor(deps.disk, directory);
  const located = locate(cursor, segments);
  if (located === undefined && cursor !== 'missing' && segments.length > 0)
    deps.log.warn({ directory, cursor }, 'spill cursor unusable, starting at the oldest record');
  const start = located ?? OLDEST;
  const finished = segments.splice(0, start.index);
  for (const [index, segment] of segments.entries()) {
    if (isSealed.get(segment) !== true)
      await inspect(segment, index === 0 ? start : OLDEST, segments.at(-1) === segment, deps);
    if (index === 0) segment.delivered = start.delivered;
  }
  return {
    directory,
    segments,
    finished,
    offset: start.offset,
    sequence: typeof cursor === 'string' ? 0 : cursor.sequence,
    isSaved: located !== undefined || segments.length === 0,
  };
}

/**
 * One more than any sequence number that may have been given out, or that names a file: a new segment must come behind
 * every one that is there, also behind an empty one that could not be deleted and that the cursor names.
 */
export function nextSequenceAfter({ segments, finished, sequence }: Recovered): number {
  const last = [...finished, ...segments].map(({ firstSequence, lastSequence }) =>
    Math.max(firstSequence, lastSequence),
  );
  return Math.max(sequence, ...last) + 1;
}

/** Left behind by a crash in the middle of `replaceFile`. One that cannot be deleted does no harm. */
async function removeDrafts(directory: string, names: string[], disk: Disk): Promise<void> {
  for (const name of names.filter((each) => each.endsWith(DRAFT_SUFFIX)))
    await disk.remove(path.join(directory, name)).catch(() => undefined);
}

/** Sets the segment's size, and its totals if it was completed. */
async function measure(segment: Segment, disk: Disk): Promise<boolean> {
  const file = await disk.open(segment.file, 'read');
  try {
    segment.fileBytes = await file.size();
  } finally {
    await file.close();
  }
  segment.end = segment.fileBytes;
  const footer = await SegmentReader.with(disk, segment, (reader) => reader.footer());
  if (footer === undefined) return false;
  segment.end -= FOOTER_BYTES;
  segment.total = footer;
  segment.lastSequence = Math.max(segment.lastSequence, footer.lastSequence);
  return true;
}

/**
 * Where the cursor points, or undefined when it cannot be trusted: then the oldest record is next, since sending
 * twice is allowed and losing is not.
 */
function locate(cursor: Cursor | string, segments: readonly Segment[]): Start | undefined {
  if (typeof cursor === 'string') return undefined;
  const index = segments.findIndex((segment) => segment.name === cursor.segment);
  const named = segments[index];
  if (named !== undefined)
    return cursor.offset <= named.end
      ? { index, offset: cursor.offset, delivered: cursor.delivered }
      : undefined;
  // Its segment was delivered to the end and deleted. Nothing older can be there, files are deleted in order.
  return segments.every((segment) => segment.firstSequence > cursor.sequence) ? OLDEST : undefined;
}

/** Counts what an incomplete segment holds, and cuts off what a crash left half written. */
async function inspect(
  segment: Segment,
  from: Start,
  isLast: boolean,
  { disk, log }: RecoveryDeps,
): Promise<void> {
  const { walk, isTorn } = await SegmentReader.with(disk, segment, async (reader) => {
    const seen = await reader.walk(from.offset);
    const looksTorn = isLast && (await isTornTail(reader, segment, seen));
    // What cannot be read now looks like zeros, and may be all there.
    return { walk: seen, isTorn: looksTorn && !reader.hasUnreadable };
  });
  segment.total = plus(from.delivered, walk.totals);
  // A damaged header hides its number, so as many are skipped as records could have been there.
  const hidden = Math.floor(walk.damagedBytes / MIN_HEADER_BYTES);
  segment.lastSequence = Math.max(segment.lastSequence, walk.lastSequence) + hidden;
  if (!isTorn) return;
  const cutBytes = segment.end - walk.lastRecordEnd;
  log.info({ file: segment.file, cutBytes }, 'cut off a record that a crash left unfinished');
  segment.end = walk.lastRecordEnd;
  await cut(segment, disk).catch((error: unknown) => {
    log.warn({ err: error, file: segment.file }, 'cannot shorten a spill segment');
  });
}

async function cut(segment: Segment, disk: Disk): Promise<void> {
  const file = await disk.open(segment.file, 'update');
  try {
    await file.truncate(segment.end);
    await file.sync();
    segment.fileBytes = segment.end;
  } finally {
    await file.close();
  }
}

/** A tail such as an interrupted append leaves behind. Anything else is damage, and is kept for people to see. */
async function isTornTail(reader: SegmentReader, segment: Segment, walk: Walk): Promise<boolean> {
  const start = walk.lastRecordEnd;
  if (start === segment.end) return false;
  const head = await reader.read(start, TAIL_BYTES);
  const header = decodeHeader(head, 0, segment.salt);
  // A whole header here has a payload that ends behind the end of the file.
  if (header !== undefined) return true;
  if (segment.end - start < FOOTER_BYTES && head.indexOf(FOOTER_MAGIC) === 0) return true;
  return isZero(reader, start, segment.end);
}

/** The file had grown before its bytes arrived. */
async function isZero(reader: SegmentReader, start: number, end: number): Promise<boolean> {
  for (let at = start; at < end;) {
    const bytes = await reader.read(at, TAIL_BYTES);
    if (bytes.length === 0) return true;
    if (bytes.some((byte) => byte !== 0)) return false;
    at += bytes.length;
  }
  return true;
}
