import path from 'node:path';
import { crc32 } from 'node:zlib';
import { codeOf } from '../core/errors.ts';
import { type Disk, replaceFile } from './disk.ts';
import { parseSegmentName } from './segment.ts';
import type { Totals } from './totals.ts';

export const CURSOR_FILE = 'cursor';

/** How far the spill has been delivered. */
export interface Cursor {
  /** No record up to this number is needed any more. Later ones begin at the position below. */
  readonly sequence: number;
  /** File name of the segment that holds the position. It may have been deleted since. */
  readonly segment: string;
  /** Byte in that segment up to which everything is delivered. */
  readonly offset: number;
  /** What the segment held before `offset`. */
  readonly delivered: Totals;
}

/** Longer files are no cursor, and are not read. */
const MAX_CURSOR_BYTES = 512;
const TITLE = 'influx-proxy-cursor 1';

/** One line for people and programs: title, version, the fields, and the CRC-32 of all before it in hex. */
export function encodeCursor(cursor: Cursor): Buffer {
  const { records, points, bytes } = cursor.delivered;
  const fields = [cursor.sequence, cursor.segment, cursor.offset, records, points, bytes];
  const text = `${TITLE} ${fields.join(' ')} `;
  return Buffer.from(`${text}${crc32(text).toString(16).padStart(8, '0')}\n`);
}

export function decodeCursor(bytes: Buffer): Cursor | undefined {
  const [sequence, segment = '', ...rest] = bytes
    .toString('latin1')
    .slice(TITLE.length + 1)
    .split(' ');
  const [offset = NaN, records = NaN, points = NaN, total = NaN] = rest.map(Number);
  const cursor: Cursor = {
    sequence: Number(sequence),
    segment,
    offset,
    delivered: { records, points, bytes: total },
  };
  // Whatever was read, only the exact bytes that we would have written count.
  if (parseSegmentName(segment) === undefined) return undefined;
  return encodeCursor(cursor).equals(bytes) ? cursor : undefined;
}

/** `missing`: there is no cursor. `damaged`: there is a file, but it does not hold one. */
export async function loadCursor(
  disk: Disk,
  directory: string,
): Promise<Cursor | 'missing' | 'damaged'> {
  try {
    const file = await disk.open(path.join(directory, CURSOR_FILE), 'read');
    try {
      const bytes = Buffer.alloc(MAX_CURSOR_BYTES);
      const length = await file.read(bytes, 0);
      return decodeCursor(bytes.subarray(0, length)) ?? 'damaged';
    } finally {
      await file.close();
    }
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'damaged';
  }
}

/** When it resolves, the cursor survives a power cut; until then the one before it does. */
export async function saveCursor(disk: Disk, directory: string, cursor: Cursor): Promise<void> {
  await replaceFile(disk, path.join(directory, CURSOR_FILE), encodeCursor(cursor));
}
