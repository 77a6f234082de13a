import { codeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type Cursor, saveCursor } from './cursor.ts';
import type { Disk } from './disk.ts';
import { FinishedSegments } from './finished-segments.ts';
import { keepDamage } from './quarantine.ts';
import type { Recovered } from './recovery.ts';
import type { Segment } from './segment.ts';
import { type DamagedRegion, type FoundRecord, SegmentReader } from './segment-reader.ts';
import { type Position, type StoredRecord, storedRecords } from './stored-record.ts';
import { minus, NOTHING, plus, type Totals } from './totals.ts';

export interface DeliveryDeps {
  readonly disk: Disk;
  readonly log: Log;
  /** Lets go of the segment being written; false while appends are under way. */
  readonly tryDetach: () => Promise<boolean>;
}

/**
 * The reading side of a spill: what comes next, what is delivered, and which segments are not needed any more. Not
 * safe for concurrent use, the spill takes turns; appends may go on meanwhile.
 */
export class Delivery {
  readonly #deps: DeliveryDeps;
  readonly #directory: string;
  // Invariant: oldest first; all but the last are never written again.
  readonly #segments: Segment[];
  // Invariant: everything before this byte of the first segment is delivered.
  #offset: number;
  // No record up to this one is needed any more.
  #sequence: number;
  // Invariant: older than all in #segments.
  readonly #finished: FinishedSegments;
  // The cursor on disk says what the two above say.
  #isSaved: boolean;
  #damaged = 0;
  // How often in a row what comes next could not be read.
  #unreadable = 0;

  constructor(recovered: Recovered, deps: DeliveryDeps) {
    const { directory, segments, offset, finished, sequence, isSaved } = recovered;
    this.#deps = deps;
    this.#directory = directory;
    this.#segments = [...segments];
    this.#offset = offset;
    this.#finished = new FinishedSegments(directory, finished, deps);
    this.#sequence = sequence;
    this.#isSaved = isSaved;
  }

  /** Brings the disk up to date after opening. What fails now is done by a later peek or ack. */
  async settle(): Promise<void> {
    const { log } = this.#deps;
    try {
      if (this.#isSaved) await this.reclaim();
      else await this.#persist();
    } catch (error) {
      log.warn({ err: error, directory: this.#directory }, 'cannot save the spill cursor');
    }
  }

  addSegment(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** Everything that is synced is delivered, the cursor on disk says so, and the next process will find nothing else. */
  get isDone(): boolean {
    return this.#isDelivered && !this.#isUnclean;
  }

  get backlog(): Totals {
    return this.#segments
      .map((segment) => minus(segment.total, segment.delivered))
      .reduce(plus, NOTHING);
  }

  /** What all segments occupy on disk, delivered parts included. */
  get fileBytes(): number {
    let bytes = this.#finished.fileBytes;
    for (const segment of this.#segments) bytes += segment.fileBytes;
    return bytes;
  }

  /** Damaged regions met since the spill was opened. */
  get damaged(): number {
    return this.#damaged;
  }

  async peek(maxBytes: number): Promise<StoredRecord[]> {
    if (!this.#isSaved) await this.#persistOrGoOn();
    else if (this.#isUnclean) await this.reclaim();
    for (;;) {
      this.#leaveFinished();
      const front = this.#segments[0];
      if (front === undefined || this.#offset >= front.end) {
        if (this.#finished.isUnclean) throw new Error('rejected records cannot be deleted');
        return [];
      }
      const records = await this.#readOrLose(front, maxBytes);
      if (records.length > 0) return storedRecords(records, front, front.delivered);
    }
  }

  /** What follows a record that was shown. Moves nothing: what cannot be read is for `peek` to meet. */
  async peekBehind(
    { segment, end, delivered }: Position,
    maxBytes: number,
  ): Promise<StoredRecord[]> {
    const index = this.#segments.indexOf(segment);
    const from =
      index !== -1 && end >= segment.end
        ? { segment: this.#segments[index + 1], offset: 0, delivered: NOTHING }
        : { segment: this.#segments[index], offset: end, delivered };
    if (from.segment === undefined) return [];
    try {
      const records = await SegmentReader.with(this.#deps.disk, from.segment, (reader) =>
        reader.records(from.offset, maxBytes),
      );
      return storedRecords(records, from.segment, from.delivered);
    } catch {
      return [];
    }
  }

  async ack(position: Position, sequence: number): Promise<void> {
    const index = this.#segments.indexOf(position.segment);
    const isNews = index > 0 || (index === 0 && position.end > this.#offset);
    if (isNews) {
      this.#finished.add(...this.#segments.splice(0, index));
      this.#moveTo(position.segment, position);
      this.#sequence = Math.max(this.#sequence, sequence);
    }
    if (!this.#isSaved) await this.#persist();
  }

  /** Takes everything that is synced as delivered, by one move of the cursor: it happens as a whole or not at all. */
  async discard(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined) return;
    await this.ack({ segment: last, end: last.end, delivered: last.total }, last.lastSequence);
  }

  /** There are files that nobody needs: they could not be deleted when it was their turn. */
  get hasLeftovers(): boolean {
    return !this.#finished.isEmpty || (this.#isDelivered && this.#segments.length > 0);
  }

  /** Deletes what is not needed any more. A file that cannot be deleted now is tried again later. */
  async reclaim(): Promise<void> {
    this.#leaveFinished();
    if (!(await this.#finished.delete()) || !this.#isDelivered) return;
    // The segment that the cursor names goes last. An append that comes meanwhile starts a new one behind it.
    const [last] = this.#segments;
    if (last === undefined || !(await this.#deps.tryDetach())) return;
    this.#segments.shift();
    this.#finished.add(last);
    this.#offset = 0;
    await this.#finished.delete();
  }

  get #isDelivered(): boolean {
    return this.#isSaved && !this.#hasUnread;
  }

  get #isUnclean(): boolean {
    return this.#finished.isUnclean || this.#segments.some((segment) => segment.isUnclean);
  }

  get #hasUnread(): boolean {
    return this.#segments.some((segment, index) => segment.end > (index === 0 ? this.#offset : 0));
  }

  #moveTo(segment: Segment, to: { end: number; delivered: Totals }): void {
    this.#offset = to.end;
    segment.delivered = to.delivered;
    this.#isSaved = false;
  }

  /** Only the last segment can still grow; any other is finished when its end is reached. */
  #leaveFinished(): void {
    for (;;) {
      const [front, next] = this.#segments;
      if (front === undefined || this.#offset < front.end) return;
      // What a damaged header hid was counted, and will never be delivered.
      front.delivered = front.total;
      if (next === undefined) return;
      this.#segments.shift();
      this.#finished.add(front);
      this.#offset = 0;
    }
  }

  /** None: there was damage at the offset, which is behind it now. */
  async #readOrLose(front: Segment, maxBytes: number): Promise<readonly FoundRecord[]> {
    const found = await this.#recordsOrDamage(front, maxBytes);
    this.#unreadable = 0;
    if (Array.isArray(found)) return found;
    await this.#passDamage(front, found);
    return [];
  }

  /** A file that is gone is damage as a whole; one that cannot be read becomes so after some attempts. */
  async #recordsOrDamage(front: Segment, maxBytes: number): Promise<FoundRecord[] | DamagedRegion> {
    const offset = this.#offset;
    try {
      return await SegmentReader.with(this.#deps.disk, front, async (reader) => {
        const found = await reader.recordsOrDamage(offset, maxBytes);
        const isDamage = !Array.isArray(found);
        if (isDamage && reader.hasUnreadable && ++this.#unreadable < MAX_READ_ATTEMPTS) {
          throw new Error(`EIO: ${front.file} cannot be read at ${offset}`);
        }
        return found;
      });
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return { start: offset, end: front.end, totals: front.total };
    }
  }

  async #passDamage(front: Segment, region: DamagedRegion): Promise<void> {
    const { disk, log } = this.#deps;
    const kept = await keepDamage(disk, front, region);
    if (kept === undefined) front.isEvidence = true;
    this.#damaged += 1;
    const { start, end } = region;
    log.error(
      { file: front.file, start, end, kept: kept ?? `${front.file}.bad` },
      'damaged part of the spill skipped',
    );
    this.#moveTo(front, { end, delivered: plus(front.delivered, region.totals) });
    await this.#persist();
  }

  async #persist(): Promise<void> {
    this.#leaveFinished();
    try {
      await this.#save();
    } catch {
      // A full disk must not keep us from freeing it. Deleting what lies behind is safe without the cursor: a
      // cursor whose segment is gone means the oldest one that is left.
      await this.#finished.delete();
      await this.#save();
    }
    await this.reclaim();
  }

  /**
   * A disk that has no room for the cursor gets it when a whole segment is delivered and deleted, so what is left is shown
   * all the same. A crash before that shows it again from the last saved cursor on, in order.
   */
  async #persistOrGoOn(): Promise<void> {
    try {
      await this.#persist();
    } catch (error) {
      if (!this.#hasUnread) throw error;
    }
  }

  async #save(): Promise<void> {
    const front = this.#segments[0];
    if (front === undefined) throw new Error('BUG: the cursor moved without a segment');
    const offset = this.#offset;
    if (!this.#hasUnread) this.#sequence = Math.max(this.#sequence, front.lastSequence);
    const cursor: Cursor = {
      sequence: this.#sequence,
      segment: front.name,
      offset,
      delivered: front.delivered,
    };
    await saveCursor(this.#deps.disk, this.#directory, cursor);
    this.#isSaved = true;
  }
}

/** Failures to read that make a bad sector: a disk, or its cable, may be away for a while and come back with everything. */
const MAX_READ_ATTEMPTS = 10;
