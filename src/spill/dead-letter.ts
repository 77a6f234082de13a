import path from 'node:path';
import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import { type DeadPoint, encodeDeadPoint } from './dead-point.ts';
import type { Disk, DiskFile } from './disk.ts';
import { Turnstile } from './turnstile.ts';

export type { DeadPoint } from './dead-point.ts';

const NEWLINE = 0x0a;
const SCAN_BYTES = 1024 * 1024;

/**
 * A file of refused points, one JSON object a line, for people and their tools. It may be read at any time, and
 * moved away or emptied: the next append starts or continues whatever file has the name then.
 */
export class DeadLetter {
  readonly #file: string;
  readonly #disk: Disk;
  readonly #turns = new Turnstile();
  // Invariant: the file's size after our last append, and the lines in that many bytes.
  #bytes = 0;
  #entries = 0;

  private constructor(file: string, disk: Disk) {
    this.#file = file;
    this.#disk = disk;
  }

  /** Creates nothing before the first append. Cuts off a line that a crash left unfinished. */
  static async open(file: string, disk: Disk): Promise<DeadLetter> {
    const deadLetter = new DeadLetter(file, disk);
    await deadLetter.#use(() => Promise.resolve(true));
    return deadLetter;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Resolves when all of the points survive a power cut. Rejects with SPILL_FAILED, then none of them is there. */
  append(points: readonly DeadPoint[]): Promise<void> {
    const bytes = Buffer.from(points.map(encodeDeadPoint).join(''));
    return this.#use((file) => this.#write(file, bytes, points.length), 'create');
  }

  /**
   * One at a time. Opened anew each time, since the file may have been moved away; and again when `act` returns false,
   * because that happened meanwhile.
   */
  #use(act: (file: DiskFile) => Promise<boolean>, absent?: 'create'): Promise<void> {
    return this.#turns.run(async () => {
      try {
        for (let isDone = false; !isDone;) {
          const file = await this.#open(absent);
          if (file === undefined) return;
          isDone = await this.#actOn(file, act);
        }
      } catch (error) {
        const message = `cannot write to ${this.#file}: ${messageOf(error)}`;
        throw new ProxyError('SPILL_FAILED', message, { cause: error });
      }
    });
  }

  async #actOn(file: DiskFile, act: (file: DiskFile) => Promise<boolean>): Promise<boolean> {
    try {
      await this.#lookAgain(file);
      return await act(file);
    } finally {
      // What counts is synced.
      await file.close().catch(() => undefined);
    }
  }

  async #open(absent: 'create' | undefined): Promise<DiskFile | undefined> {
    const file = await unlessCode('ENOENT', this.#disk.open(this.#file, 'update'));
    if (file !== undefined || absent === undefined) return file;
    // It may be put back in this very moment.
    return (
      (await unlessCode('EEXIST', this.#create())) ?? (await this.#disk.open(this.#file, 'update'))
    );
  }

  async #create(): Promise<DiskFile> {
    const directory = path.dirname(this.#file);
    await this.#disk.makeDirectory(directory);
    const file = await this.#disk.open(this.#file, 'create');
    try {
      await this.#disk.syncDirectory(directory);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Whoever takes the file reads it after renaming it: what is written and synced while it still has its name is seen.
   * False: it had lost it, so that the points may not have been seen, and must be written again.
   */
  async #write(file: DiskFile, bytes: Buffer, entries: number): Promise<boolean> {
    let isNamed: boolean;
    try {
      await file.write([bytes], this.#bytes);
      await file.sync();
      isNamed = await file.isNamed(this.#file);
    } catch (error) {
      // If even this fails, the next look at the file cuts what is left of it.
      await file.truncate(this.#bytes).catch(() => undefined);
      throw error;
    }
    this.#bytes += bytes.length;
    this.#entries += entries;
    return isNamed;
  }

  /** Counts again when the file is not as we left it. */
  async #lookAgain(file: DiskFile): Promise<void> {
    const size = await file.size();
    if (size === this.#bytes) return;
    const { entries, end } = await countLines(file, size);
    if (end < size) await file.truncate(end);
    this.#entries = entries;
    this.#bytes = end;
  }
}

/** How many whole lines there are, and where the last one ends. */
async function countLines(file: DiskFile, size: number): Promise<{ entries: number; end: number }> {
  const window = Buffer.allocUnsafe(Math.min(size, SCAN_BYTES));
  let entries = 0;
  let end = 0;
  for (let at = 0; at < size;) {
    const length = await file.read(window, at);
    if (length === 0) break;
    const bytes = window.subarray(0, length);
    for (let hit = bytes.indexOf(NEWLINE); hit !== -1; hit = bytes.indexOf(NEWLINE, hit + 1)) {
      entries += 1;
      end = at + hit + 1;
    }
    at += length;
  }
  return { entries, end };
}

/** `undefined` for a failure with this code. */
async function unlessCode<T>(code: string, attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (codeOf(error) === code) return undefined;
    throw error;
  }
}
