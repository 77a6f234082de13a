import { invariant, messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { Appender } from './appender.ts';
import { Delivery } from './delivery.ts';
import type { Disk } from './disk.ts';
import { type RecordFields, recordProblem } from './record.ts';
import { nextSequenceAfter, recover } from './recovery.ts';
import type { StoredRecord } from './stored-record.ts';
import { plus, type Totals } from './totals.ts';
import { Turnstile } from './turnstile.ts';

export interface SpillOptions {
  readonly directory: string;
  /** What files, pending appends and reservations may amount to. Headers (some 50 bytes a record) come on top. */
  readonly maxBytes: number;
  /** A segment is left for a new one at this size, a fourth of `maxBytes` at most: space comes back in such pieces. */
  readonly segmentBytes: number;
}

export interface SpillDeps {
  readonly disk: Disk;
  readonly log: Log;
}

/** What to store. The payload's buffers must not change until the append has settled. */
export interface RecordDraft extends RecordFields {
  readonly payload: Buffer | readonly Buffer[];
}

/**
 * A durable, ordered queue on disk: append at one end, peek and acknowledge at the other. Any number may append at
 * a time; one replayer peeks and acknowledges. One process per directory (lock.ts).
 *
 * Reservations: `tryReserve(n)` makes n bytes the caller's. `append(draft, n)` takes them over at the call,
 * whatever becomes of the append. What is not appended goes back with `release`. Nobody else gives bytes back.
 */
export class Spill {
  readonly #maxBytes: number;
  readonly #directory: string;
  readonly #appender: Appender;
  readonly #delivery: Delivery;
  readonly #turns = new Turnstile();
  #reservedBytes = 0;
  #isReclaiming = false;
  #closing: Promise<void> | undefined;

  private constructor(options: SpillOptions, appender: Appender, delivery: Delivery) {
    this.#maxBytes = options.maxBytes;
    this.#directory = options.directory;
    this.#appender = appender;
    this.#delivery = delivery;
  }

  /** Creates the directory, or finds what is undelivered in it. Damage never makes it fail, a broken disk does. */
  static async open(options: SpillOptions, deps: SpillDeps): Promise<Spill> {
    const { directory, maxBytes, segmentBytes } = options;
    return orSpillFailed(`cannot open the spill in ${directory}`, async () => {
      await deps.disk.makeDirectory(directory);
      const recovered = await recover(directory, deps);
      const appender = new Appender(
        {
          directory,
          segmentBytes: Math.min(segmentBytes, Math.ceil(maxBytes / 4)),
          nextSequence: nextSequenceAfter(recovered),
        },
        {
          ...deps,
          onSegment: (segment) => {
            delivery.addSegment(segment);
          },
        },
      );
      const tryDetach = (): Promise<boolean> => appender.tryDetach();
      const delivery = new Delivery(recovered, { ...deps, tryDetach });
      await delivery.settle();
      return new Spill(options, appender, delivery);
    });
  }

  /** Room for `bytes` of payload that may be appended later. False: full. */
  tryReserve(bytes: number): boolean {
    invariant(bytes >= 0, 'a reservation is not negative');
    if (this.usedBytes + this.#reservedBytes + bytes > this.#maxBytes) {
      this.#reclaimLeftovers();
      return false;
    }
    this.#reservedBytes += bytes;
    return true;
  }

  /**
   * Whether `bytes` for which there is no room lack it because of what is on disk: half of the limit or more. Otherwise it
   * is what others have reserved, most of which comes back, or it is more than would ever fit.
   */
  isFull(bytes: number): boolean {
    return bytes <= this.#maxBytes && this.usedBytes * 2 >= this.#maxBytes;
  }

  /** Gives back what was reserved and not appended. */
  release(bytes: number): void {
    invariant(bytes >= 0 && bytes <= this.#reservedBytes, 'only reserved bytes are released');
    this.#reservedBytes -= bytes;
  }

  /**
   * Stores a record behind all others. The order of the calls is the order on disk. Resolves with its sequence
   * number once it is synced. Rejects with SPILL_FAILED when the disk would not: then the record is not in the
   * spill, all others are, and a later append may succeed.
   *
   * `reservedBytes` is the caller's reservation for it; it is used up by the call, also by one that rejects. It may
   * differ from the payload's size (compressed after reserving).
   */
  append(draft: RecordDraft, reservedBytes?: number): Promise<number> {
    const { payload, ...fields } = draft;
    const parts = Buffer.isBuffer(payload) ? [payload] : payload;
    const payloadBytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.release(reservedBytes ?? payloadBytes);
    if (this.#closing !== undefined) return Promise.reject(closed());
    const problem = recordProblem(fields, payloadBytes);
    if (problem !== undefined) return Promise.reject(new ProxyError('SPILL_FAILED', problem));
    return this.#appender.append(fields, parts);
  }

  /**
   * The oldest undelivered records that are synced, in order: about `maxBytes` of payload, at least one record if
   * there is any. The same ones again until they are acknowledged. Damaged ones are skipped: copied to a `.bad`
   * file, logged and counted once. Payloads share one buffer, so keep them no longer than needed.
   *
   * When there is nothing but appends under way, it waits for the sync of the first of them: so that a loop until
   * `isEmpty` never spins. Otherwise it does not wait. Rejects with SPILL_FAILED.
   */
  peek(maxBytes: number): Promise<readonly StoredRecord[]> {
    return this.#takeTurn('cannot read the spill', async () => {
      const records = await this.#delivery.peek(maxBytes);
      if (records.length > 0 || this.#appender.pending.records === 0) return records;
      await this.#appender.nextCommit();
      return this.#delivery.peek(maxBytes);
    });
  }

  /**
   * Records that follow one that was shown, about `maxBytes` of payload: so that they are at hand when that one is delivered.
   * None if none is synced yet, or if the next one cannot be read.
   */
  peekBehind(record: StoredRecord, maxBytes: number): Promise<readonly StoredRecord[]> {
    return this.#takeTurn('cannot read the spill', () =>
      this.#delivery.peekBehind(record.position, maxBytes),
    );
  }

  /**
   * The record and all before it are delivered. Resolves when that survives a power cut; the space of segments
   * that lie wholly behind is free then. Acknowledging one twice does nothing.
   *
   * Rejects with SPILL_FAILED when the cursor could not be saved. The records are not shown again by this process, the
   * next ones are, but these may be after a crash, and `isEmpty` stays false until a peek or ack has saved the cursor.
   */
  ack(record: StoredRecord): Promise<void> {
    return this.#takeTurn('cannot save the spill cursor', () =>
      this.#delivery.ack(record.position, record.sequence),
    );
  }

  /** Forgets everything that is undelivered and synced, for good. Resolves when that survives a power cut. */
  discard(): Promise<void> {
    return this.#takeTurn('cannot discard what is', () => this.#delivery.discard());
  }

  /** Nothing is undelivered, no append is under way, and the cursor on disk says so. Exact at any instant. */
  get isEmpty(): boolean {
    return this.#appender.pending.records === 0 && this.#delivery.isDone;
  }

  /** What is undelivered, appends under way included. */
  get backlog(): Totals {
    return plus(this.#delivery.backlog, this.#appender.pending);
  }

  /** Damaged regions skipped since the spill was opened. */
  get damaged(): number {
    return this.#delivery.damaged;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** What the files occupy, with delivered records of segments that hold undelivered ones, and pending appends. */
  get usedBytes(): number {
    return this.#delivery.fileBytes + this.#appender.pendingBytes;
  }

  /** Finishes pending appends, takes no new ones. Undelivered records wait for the next `open`. */
  close(): Promise<void> {
    this.#closing ??= this.#turns.run(() => this.#appender.close());
    return this.#closing;
  }

  /** A full spill is not appended to, so no ack may come that would delete what could not be deleted before. */
  #reclaimLeftovers(): void {
    if (this.#isReclaiming || this.#closing !== undefined || !this.#delivery.hasLeftovers) return;
    this.#isReclaiming = true;
    void this.#turns
      .run(() => this.#delivery.reclaim())
      .finally(() => {
        this.#isReclaiming = false;
      });
  }

  #takeTurn<T>(failure: string, run: () => Promise<T>): Promise<T> {
    // After close another process may own the directory.
    if (this.#closing !== undefined) return Promise.reject(closed());
    return this.#turns.run(() => orSpillFailed(`${failure} in ${this.#directory}`, run));
  }
}

function closed(): ProxyError {
  return new ProxyError('SHUTTING_DOWN', 'the spill is closed');
}

async function orSpillFailed<T>(failure: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new ProxyError('SPILL_FAILED', `${failure}: ${messageOf(error)}`, { cause: error });
  }
}
