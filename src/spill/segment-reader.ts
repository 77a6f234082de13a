import { codeOf } from '../core/errors.ts';
import type { Disk, DiskFile } from './disk.ts';
import { decodeFooter, type Footer, FOOTER_BYTES } from './footer.ts';
import { checksumOf, decodeHeader, type DecodedHeader, MAGIC, MAX_HEADER_BYTES } from './record.ts';
import type { Segment } from './segment.ts';
import { NOTHING, plus, type Totals } from './totals.ts';

/** How much is read at once when looking for the next header; several times the longest header. */
const SCAN_BYTES = 256 * 1024;
/** Read at once when going from header to header: longer than any header, and two thousand reads for 128 MB. */
const WALK_BYTES = 64 * 1024;
/** What a disk loses at once when it cannot read a place. */
const BLOCK_BYTES = 4096;

export interface FoundRecord {
  readonly header: DecodedHeader;
  readonly payload: Buffer;
  /** Byte in the segment after the record. */
  readonly end: number;
}

/** Bytes that hold no intact record, up to the next header or the segment's end. */
export interface DamagedRegion {
  readonly start: number;
  readonly end: number;
  /** Records in it that were counted in the segment's total, as far as their headers tell. */
  readonly totals: Totals;
}

/** Where the walk over the headers ended, and what it saw. */
export interface Walk {
  readonly totals: Totals;
  readonly lastSequence: number;
  /** Byte after the last record whose header is intact. What follows is a torn tail, or damage. */
  readonly lastRecordEnd: number;
  /** Bytes that belong to no record, the tail included. */
  readonly damagedBytes: number;
}

/** Reads one segment's file. It trusts nothing but checksums. */
export class SegmentReader {
  readonly #file: DiskFile;
  readonly #salt: number;
  readonly #end: number;
  #hasUnreadable = false;
  // The bytes last read by #headerAt; what is before `#end` never changes.
  #walked: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) };

  private constructor(file: DiskFile, salt: number, end: number) {
    this.#file = file;
    this.#salt = salt;
    this.#end = end;
  }

  /** Opens the segment for the time of `use`. Nothing at or after `segment.end` is looked at. */
  static async with<T>(
    disk: Disk,
    segment: Segment,
    use: (reader: SegmentReader) => Promise<T>,
  ): Promise<T> {
    const file = await disk.open(segment.file, 'read');
    try {
      return await use(new SegmentReader(file, segment.salt, segment.end));
    } finally {
      await file.close();
    }
  }

  /** Some of what was read is zeros, because the disk could not read it. */
  get hasUnreadable(): boolean {
    return this.#hasUnreadable;
  }

  /**
   * Intact records from `offset` on: as many as about `maxBytes` hold, at least one. Empty when the bytes at
   * `offset` are damaged; it never reads across damage.
   */
  async records(offset: number, maxBytes: number): Promise<FoundRecord[]> {
    const bytes = await this.read(offset, Math.max(maxBytes, MAX_HEADER_BYTES));
    return this.#decodeAll(await this.#withWholePayload(bytes, offset), offset, maxBytes);
  }

  /** As `records`, or the damage that is at `offset`. */
  async recordsOrDamage(offset: number, maxBytes: number): Promise<FoundRecord[] | DamagedRegion> {
    const records = await this.records(offset, maxBytes);
    return records.length > 0 ? records : this.damagedRegion(offset);
  }

  /** The damage at `offset`. Its end is where reading can go on. */
  async damagedRegion(offset: number): Promise<DamagedRegion> {
    const header = await this.#headerAt(offset);
    return {
      start: offset,
      end: await this.#findHeader(offset + 1),
      totals: header === undefined ? NOTHING : totalsOf(header),
    };
  }

  /** Goes from header to header without reading payloads. */
  async walk(from: number): Promise<Walk> {
    let totals = NOTHING;
    let lastSequence = 0;
    let lastRecordEnd = from;
    let damagedBytes = 0;
    for (let at = from; at < this.#end;) {
      const header = await this.#headerAt(at);
      if (header === undefined) {
        const next = await this.#findHeader(at + 1);
        damagedBytes += next - at;
        at = next;
        continue;
      }
      at += header.headerBytes + header.payloadBytes;
      totals = plus(totals, totalsOf(header));
      lastSequence = Math.max(lastSequence, header.sequence);
      lastRecordEnd = at;
    }
    return { totals, lastSequence, lastRecordEnd, damagedBytes };
  }

  async footer(): Promise<Footer | undefined> {
    const bytes = await this.read(Math.max(0, this.#end - FOOTER_BYTES), FOOTER_BYTES);
    return decodeFooter(bytes, this.#salt);
  }

  /** Up to `length` bytes, fewer only at the segment's end. What the disk cannot read is zeros. */
  async read(position: number, length: number): Promise<Buffer> {
    const target = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#end - position)));
    try {
      return target.subarray(0, await this.#file.read(target, position));
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error;
      return this.#readBlockwise(target, position);
    }
  }

  /** Bad sectors cost the records that they are in, not all that are read with them. */
  async #readBlockwise(target: Buffer, position: number): Promise<Buffer> {
    target.fill(0);
    for (let at = 0; at < target.length;) {
      const end = Math.min(target.length, at + BLOCK_BYTES - ((position + at) % BLOCK_BYTES));
      try {
        const length = await this.#file.read(target.subarray(at, end), position + at);
        if (length < end - at) return target.subarray(0, at + length);
      } catch (error) {
        if (codeOf(error) !== 'EIO') throw error;
        this.#hasUnreadable = true;
        target.fill(0, at, end);
      }
      at = end;
    }
    return target;
  }

  /** The first record may be longer than what was asked for: then `bytes` grows to hold it. */
  async #withWholePayload(bytes: Buffer, offset: number): Promise<Buffer> {
    const header = this.#fitting(decodeHeader(bytes, 0, this.#salt), offset);
    if (header === undefined) return bytes;
    const recordBytes = header.headerBytes + header.payloadBytes;
    if (recordBytes <= bytes.length) return bytes;
    const rest = await this.read(offset + bytes.length, recordBytes - bytes.length);
    return Buffer.concat([bytes, rest]);
  }

  #decodeAll(bytes: Buffer, offset: number, maxBytes: number): FoundRecord[] {
    const found: FoundRecord[] = [];
    let taken = 0;
    for (let at = 0; ;) {
      const header = decodeHeader(bytes, at, this.#salt);
      if (header === undefined || header === 'cut') return found;
      const payloadAt = at + header.headerBytes;
      const end = payloadAt + header.payloadBytes;
      taken += header.payloadBytes;
      if (end > bytes.length || (found.length > 0 && taken > maxBytes)) return found;
      const payload = bytes.subarray(payloadAt, end);
      if (checksumOf([payload]) !== header.payloadChecksum) return found;
      found.push({ header, payload, end: offset + end });
      at = end;
    }
  }

  /** The header at `at`, if it is intact and its payload lies within the segment. */
  async #headerAt(at: number): Promise<DecodedHeader | undefined> {
    // Records smaller than the window are met in it without another read.
    const start = at - this.#walked.at;
    let header = start >= 0 ? decodeHeader(this.#walked.bytes, start, this.#salt) : 'cut';
    if (header === 'cut') {
      this.#walked = { at, bytes: await this.read(at, WALK_BYTES) };
      header = decodeHeader(this.#walked.bytes, 0, this.#salt);
    }
    return this.#fitting(header, at);
  }

  #fitting(header: DecodedHeader | 'cut' | undefined, at: number): DecodedHeader | undefined {
    if (header === undefined || header === 'cut') return undefined;
    return at + header.headerBytes + header.payloadBytes <= this.#end ? header : undefined;
  }

  /** Offset of the first intact header at or after `from`, or the segment's end. */
  async #findHeader(from: number): Promise<number> {
    for (let at = from; at < this.#end;) {
      const window = await this.read(at, SCAN_BYTES);
      if (window.length === 0) break;
      const reachesEnd = window.length < SCAN_BYTES;
      const hit = this.#scan(window, at, reachesEnd);
      if (hit.found) return hit.at;
      if (reachesEnd) break;
      at = hit.at;
    }
    return this.#end;
  }

  /** Where in the window a header begins, else from where the next window must look. */
  #scan(window: Buffer, offset: number, isLast: boolean): { found: boolean; at: number } {
    let at = window.indexOf(MAGIC);
    for (; at !== -1; at = window.indexOf(MAGIC, at + 1)) {
      const header = decodeHeader(window, at, this.#salt);
      if (header === 'cut' && !isLast) return { found: false, at: offset + at };
      if (this.#fitting(header, offset + at) !== undefined) return { found: true, at: offset + at };
    }
    return { found: false, at: offset + window.length - (MAGIC.length - 1) };
  }
}

function totalsOf(header: DecodedHeader): Totals {
  return { records: 1, points: header.points, bytes: header.payloadBytes };
}
