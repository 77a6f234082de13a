import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Disk, DiskFile } from './disk.ts';
import { encodeFooter, FOOTER_BYTES } from './footer.ts';
import { NOTHING, plus, type Totals } from './totals.ts';

/** One file of records. Only the last one of a spill is ever written. */
export interface Segment {
  readonly name: string;
  readonly file: string;
  /** No record in it has a smaller sequence number. */
  readonly firstSequence: number;
  /** Random start value of its header checksums, see record.ts. */
  readonly salt: number;
  /** Records are in [0, end), and all of that is synced. */
  end: number;
  /** What the file occupies, for the disk limit: `end`, a footer, and bytes that could not be cut off. */
  fileBytes: number;
  /** Rejected records may be on disk behind `end`, and the next process would find them. */
  isUnclean: boolean;
  lastSequence: number;
  total: Totals;
  /** The part of `total` that the cursor has passed. */
  delivered: Totals;
  /** Damage in it could not be copied aside: then the file itself is kept instead of deleted. */
  isEvidence: boolean;
}

const NAME = /^(\d{20})-([0-9a-f]{8})\.segment$/;

/** Names sort as their first sequence numbers do. */
export function segmentName(firstSequence: number, salt: number): string {
  return `${String(firstSequence).padStart(20, '0')}-${salt.toString(16).padStart(8, '0')}.segment`;
}

export function parseSegmentName(
  name: string,
): { firstSequence: number; salt: number } | undefined {
  const [, first, salt] = NAME.exec(name) ?? [];
  const firstSequence = Number(first);
  if (salt === undefined || !Number.isSafeInteger(firstSequence)) return undefined;
  return { firstSequence, salt: Number.parseInt(salt, 16) };
}

/** `undefined`: the name is not that of a segment. */
export function segmentOf(directory: string, name: string): Segment | undefined {
  const parsed = parseSegmentName(name);
  if (parsed === undefined) return undefined;
  return {
    name,
    file: path.join(directory, name),
    ...parsed,
    end: 0,
    fileBytes: 0,
    isUnclean: false,
    lastSequence: parsed.firstSequence - 1,
    total: NOTHING,
    delivered: NOTHING,
    isEvidence: false,
  };
}

/** Encoded records that go to disk together. */
export interface Commit {
  readonly parts: readonly Buffer[];
  /** Bytes of all parts. */
  readonly bytes: number;
  readonly totals: Totals;
  readonly lastSequence: number;
}

/** Writes one new segment. The file is its alone until `seal` or `close`. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #file: DiskFile;
  #isUsable = true;

  private constructor(segment: Segment, file: DiskFile) {
    this.segment = segment;
    this.#file = file;
  }

  /** When it resolves, the file's name survives a power cut, so that its records will be found. */
  static async create(
    disk: Disk,
    directory: string,
    firstSequence: number,
  ): Promise<SegmentWriter> {
    const name = segmentName(firstSequence, randomBytes(4).readUInt32BE());
    const segment = segmentOf(directory, name);
    if (segment === undefined) throw new Error(`BUG: ${name} is no segment name`);
    const file = await disk.open(segment.file, 'create');
    try {
      await disk.syncDirectory(directory);
      return new SegmentWriter(segment, file);
    } catch (error) {
      await file.close().catch(ignore);
      await disk.remove(segment.file).catch(ignore);
      throw error;
    }
  }

  /** False after a failure that leaves unknown bytes behind: the next record needs a new segment. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Readers see the records once they are synced. After a rejection none of them is there, or the segment is unclean. */
  async commit({ parts, bytes, totals, lastSequence }: Commit): Promise<void> {
    const { segment } = this;
    try {
      await this.#file.write(parts, segment.end);
      await this.#sync();
    } catch (error) {
      await this.#cutBack(bytes);
      throw error;
    }
    segment.end += bytes;
    segment.fileBytes = segment.end;
    segment.total = plus(segment.total, totals);
    segment.lastSequence = lastSequence;
  }

  /** Ends the segment with a footer. A footer that failed costs the next start some time, nothing else. */
  async seal(): Promise<void> {
    const { segment } = this;
    try {
      if (!this.#isUsable || segment.end === 0) return;
      const { total, lastSequence, salt } = segment;
      const footer = encodeFooter({ ...total, lastSequence }, salt);
      segment.fileBytes = segment.end + FOOTER_BYTES;
      await this.#file.write([footer], segment.end);
      await this.#sync();
    } catch {
      await this.#cutBack(FOOTER_BYTES);
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#isUsable = false;
    // Everything that counts is synced; an error here tells nothing more about it.
    await this.#file.close().catch(ignore);
  }

  /** After a failed sync the kernel may have dropped the pages and call them clean: never write here again. */
  async #sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      this.#isUsable = false;
      throw error;
    }
  }

  /** Synced too: else a power cut could bring back what was cut off, after newer points have gone another way. */
  async #cutBack(bytes: number): Promise<void> {
    const { segment } = this;
    try {
      await this.#file.truncate(segment.end);
      await this.#file.sync();
      segment.fileBytes = segment.end;
    } catch {
      this.#isUsable = false;
      segment.isUnclean = true;
      segment.fileBytes = segment.end + bytes;
    }
  }
}

function ignore(): void {
  // The caller has a better error to report, or none is needed.
}
