import { codeOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type Disk, readOnly } from './disk.ts';
import type { RecordFields } from './record.ts';
import { recover, type Recovered } from './recovery.ts';
import type { Segment } from './segment.ts';
import { SegmentReader } from './segment-reader.ts';
import { minus, NOTHING, plus, type Totals } from './totals.ts';

/** Payload bytes that are read at once: a few records. */
const READ_BYTES = 1024 * 1024;
/** A running proxy may delete a segment while we look, and on a fast disk does so again and again: each look is a short one then. */
const MAX_LOOKS = 1000;
/** It may also move the cursor to a new segment, but rarely each time: after so many looks the cursor is lost. */
const MAX_UNSAVED_LOOKS = 20;

/** What is undelivered in a spill, as it was at one moment. */
export interface SpillSummary extends Totals {
  /** Segments. */
  readonly files: number;
  /** What they occupy, delivered parts included. */
  readonly fileBytes: number;
  /** Parts that were found damaged and set aside (`.bad`). */
  readonly damagedFiles: number;
}

/** Found on the way through a spill. */
export type Inspected = InspectedRecord | InspectedDamage;

export interface InspectedRecord extends RecordFields {
  readonly at: 'record';
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Bytes without an intact record; the proxy sets them aside when it comes to them. */
export interface InspectedDamage {
  readonly at: 'damage';
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

const SILENT: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };

/** A look at a spill that changes nothing in it, whether a proxy runs on it or not. */
export async function summarizeSpill(directory: string, disk: Disk): Promise<SpillSummary> {
  const found = await look(directory, readOnly(disk));
  if (found === undefined) return { ...NOTHING, files: 0, fileBytes: 0, damagedFiles: 0 };
  const { segments, finished } = found;
  const files = [...finished, ...segments];
  const names = await disk.list(directory);
  return {
    ...segments.map(({ total, delivered }) => minus(total, delivered)).reduce(plus, NOTHING),
    files: files.length,
    fileBytes: files.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    damagedFiles: names.filter((name) => name.endsWith('.bad')).length,
  };
}

/**
 * The undelivered records, oldest first, as they were when the first one was asked for. What a running proxy delivers
 * meanwhile may be missing. Payloads share a buffer: keep none longer than until the next.
 */
export async function* inspectSpill(directory: string, disk: Disk): AsyncIterable<Inspected> {
  const safe = readOnly(disk);
  const found = await look(directory, safe);
  if (found === undefined) return;
  for (const [index, segment] of found.segments.entries())
    yield* inspectSegment(segment, index === 0 ? found.offset : 0, safe);
}

async function* inspectSegment(
  segment: Segment,
  from: number,
  disk: Disk,
): AsyncIterable<Inspected> {
  for (let next = from; next < segment.end;) {
    const offset = next;
    const found = await unlessGone(
      SegmentReader.with(disk, segment, (reader) => reader.recordsOrDamage(offset, READ_BYTES)),
    );
    if (found === undefined) return;
    if (Array.isArray(found)) {
      for (const { header, payload, end } of found) {
        const { sequence, kind, points, db, rp, precision } = header;
        yield { at: 'record', sequence, kind, points, db, rp, precision, payload };
        next = end;
      }
    } else {
      const { start, end } = found;
      yield { at: 'damage', file: segment.file, start, end };
      next = end;
    }
  }
}

/** `undefined`: there is no spill. */
async function look(directory: string, disk: Disk): Promise<Recovered | undefined> {
  let unsaved = 0;
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    if ((await unlessGone(disk.list(directory))) === undefined) return undefined;
    const found = await unlessGone(recover(directory, { disk, log: SILENT }));
    // A file went meanwhile: the proxy has got on.
    if (found === undefined) continue;
    // A cursor that fits none of the segments: one that has moved on since these were listed, or a lost one.
    if (found.isSaved || ++unsaved === MAX_UNSAVED_LOOKS) return found;
  }
  throw new ProxyError('SPILL_FAILED', `${directory} changes faster than it can be read`);
}

async function unlessGone<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function ignore(): void {
  // What a look finds is in its result; only the proxy's own log tells what it has done about it.
}
