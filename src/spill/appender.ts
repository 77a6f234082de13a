import { messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Disk } from './disk.ts';
import { checksumOf, encodeHeader, headerBytesOf, type RecordFields } from './record.ts';
import { type Commit, type Segment, SegmentWriter } from './segment.ts';
import { NOTHING, plus, type Totals } from './totals.ts';

export interface AppenderOptions {
  readonly directory: string;
  /** A segment that has reached this size is left for a new one. */
  readonly segmentBytes: number;
  readonly nextSequence: number;
}

export interface AppenderDeps {
  readonly disk: Disk;
  readonly log: Log;
  /** Called when a new segment's file is there, before anything is written to it. */
  readonly onSegment: (segment: Segment) => void;
}

interface Waiting {
  readonly fields: RecordFields;
  readonly sequence: number;
  readonly payload: readonly Buffer[];
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
  readonly recordBytes: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: ProxyError) => void;
}

/**
 * The writing side of a spill: group commit. While one group of records is being synced, the next one gathers; so
 * the number of syncs follows the disk, not the number of callers, and an idle spill adds no delay.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #deps: AppenderDeps;
  #writer: SegmentWriter | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  // Told when the group being committed is on disk, or has failed.
  #watchers: (() => void)[] = [];
  #nextSequence: number;
  // Invariant: what is in #waiting or in the group being committed.
  #pending: Totals = NOTHING;
  #pendingBytes = 0;
  // Rejected since the last commit that succeeded.
  #failedRecords = 0;

  constructor(options: AppenderOptions, deps: AppenderDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#nextSequence = options.nextSequence;
  }

  /** Appended, but not synced yet. */
  get pending(): Totals {
    return this.#pending;
  }

  /** The same on disk, with headers. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  append(fields: RecordFields, payload: readonly Buffer[]): Promise<number> {
    const payloadBytes = payload.reduce((sum, part) => sum + part.length, 0);
    const recordBytes = headerBytesOf(fields) + payloadBytes;
    const sequence = this.#nextSequence++;
    this.#pending = plus(this.#pending, totalsOf({ fields, payloadBytes }));
    this.#pendingBytes += recordBytes;
    const payloadChecksum = checksumOf(payload);
    return new Promise((resolve, reject) => {
      const record = { fields, sequence, payload, payloadBytes, payloadChecksum, recordBytes };
      this.#waiting.push({ ...record, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves at the end of the next commit, whatever its outcome; at once when nothing is pending. */
  nextCommit(): Promise<void> {
    if (this.#pending.records === 0) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  /** Lets go of the segment being written, so that its file may be deleted. False while something is pending. */
  async tryDetach(): Promise<boolean> {
    if (this.#running !== undefined) return false;
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
    return true;
  }

  /** Waits for what is pending and ends the open segment. */
  async close(): Promise<void> {
    await this.#running;
    await this.#writer?.seal();
    this.#writer = undefined;
  }

  async #run(): Promise<void> {
    // Appends of the same turn of the event loop belong to the first group too.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commit(this.#takeGroup());
    this.#running = undefined;
  }

  /** All that waits, as far as it fits into one segment; a record never crosses into the next. */
  #takeGroup(): [Waiting, ...Waiting[]] {
    const [first, ...others] = this.#waiting;
    if (first === undefined) throw new Error('BUG: nothing waits');
    const group: [Waiting, ...Waiting[]] = [first];
    let end = this.#needsRoll(first) ? 0 : (this.#writer?.segment.end ?? 0);
    end += first.recordBytes;
    for (const record of others) {
      end += record.recordBytes;
      if (end > this.#options.segmentBytes) break;
      group.push(record);
    }
    this.#waiting.splice(0, group.length);
    return group;
  }

  #needsRoll(first: Waiting): boolean {
    const writer = this.#writer;
    if (writer?.isUsable !== true) return true;
    const { end } = writer.segment;
    return end > 0 && end + first.recordBytes > this.#options.segmentBytes;
  }

  async #commit(group: [Waiting, ...Waiting[]]): Promise<void> {
    let failure: unknown;
    try {
      const writer = await this.#writerFor(group[0]);
      await writer.commit(encode(group, writer.segment.salt));
    } catch (error) {
      failure = error;
    }
    this.#settle(group, failure);
  }

  #settle(group: readonly Waiting[], failure: unknown): void {
    // Not subtracted: what is still waiting is added up anew, so that no error can accumulate.
    this.#pending = this.#waiting.map(totalsOf).reduce(plus, NOTHING);
    this.#pendingBytes = this.#waiting.reduce((sum, record) => sum + record.recordBytes, 0);
    for (const tell of this.#watchers.splice(0)) tell();
    this.#report(group.length, failure);
    if (failure === undefined) {
      for (const record of group) record.resolve(record.sequence);
      return;
    }
    const message = `cannot write to the spill: ${messageOf(failure)}`;
    for (const record of group)
      record.reject(new ProxyError('SPILL_FAILED', message, { cause: failure }));
  }

  /** A line when it begins to fail and one when it works again, however many records come meanwhile. */
  #report(records: number, failure: unknown): void {
    const { directory } = this.#options;
    const failed = this.#failedRecords;
    this.#failedRecords = failure === undefined ? 0 : failed + records;
    if (failure !== undefined && failed === 0) {
      this.#deps.log.error({ err: failure, directory }, 'spill write failed');
    } else if (failure === undefined && failed > 0) {
      this.#deps.log.info({ directory, failedRecords: failed }, 'spill can be written again');
    }
  }

  async #writerFor(first: Waiting): Promise<SegmentWriter> {
    const current = this.#writer;
    if (current !== undefined && !this.#needsRoll(first)) return current;
    this.#writer = undefined;
    await current?.seal();
    const { directory } = this.#options;
    this.#writer = await SegmentWriter.create(this.#deps.disk, directory, first.sequence);
    this.#deps.onSegment(this.#writer.segment);
    return this.#writer;
  }
}

function totalsOf(record: Pick<Waiting, 'fields' | 'payloadBytes'>): Totals {
  return { records: 1, points: record.fields.points, bytes: record.payloadBytes };
}

function encode(group: readonly Waiting[], salt: number): Commit {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const { fields, sequence, payload, payloadBytes, payloadChecksum, recordBytes } of group) {
    parts.push(encodeHeader({ ...fields, sequence, payloadBytes, payloadChecksum }, salt));
    parts.push(...payload);
    bytes += recordBytes;
  }
  const totals = group.map(totalsOf).reduce(plus, NOTHING);
  return { parts, bytes, totals, lastSequence: group.at(-1)?.sequence ?? 0 };
}
