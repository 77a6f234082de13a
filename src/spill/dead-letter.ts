import path from 'node:path';
import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import { DeadLetterFiles } from './dead-letter-files.ts';
import { type DeadPoint, encodeDeadPoint } from './dead-point.ts';
import type { Disk, DiskFile } from './disk.ts';
import { Turnstile } from './turnstile.ts';

const NEWLINE = 0x0a;
const SCAN_BYTES = 1024 * 1024;
/** UTF-16 units of JSON that are gathered for one write. */
const PIECE_LENGTH = 1024 * 1024;

/**
 * A file of refused points, one JSON object a line, for people and their tools. It may be read at any time, and
 * moved away or emptied: the next append starts or continues whatever file has the name then.
 *
 * What a crash or a failing disk left at its end, half a line or bytes that the disk will never have, stays where it is: an
 * append behind bytes that were not synced here begins with a newline of its own, so that its lines stand for themselves.
 */
export class DeadLetter {
  readonly #file: string;
  readonly #disk: Disk;
  readonly #maxBytes: number;
  readonly #files: DeadLetterFiles;
  readonly #turns = new Turnstile();
  // Invariant: the file's size after our last look or append, and the lines in that many bytes.
  #bytes = 0;
  #entries = 0;
  // Whether our last append, which is synced, ends there; and whether the file's name is synced too.
  #isOurs = false;
  #isNameSynced = false;

  private constructor(file: string, disk: Disk, maxBytes: number) {
    this.#file = file;
    this.#disk = disk;
    this.#maxBytes = maxBytes;
    this.#files = new DeadLetterFiles(file, disk);
  }

  /**
   * Creates nothing before the first append. `maxBytes`: when all files of these dead letters (dead-letter-files.ts) have
   * reached that size, nothing more is taken.
   */
  static async open(file: string, disk: Disk, maxBytes = Infinity): Promise<DeadLetter> {
    const deadLetter = new DeadLetter(file, disk, maxBytes);
    await deadLetter.#use(() => Promise.resolve(true));
    return deadLetter;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /**
   * Resolves when all of the points survive a power cut. Rejects with SPILL_FULL, then none of them is there, or with
   * SPILL_FAILED, then some may be; appending them again is right.
   */
  append(points: readonly DeadPoint[]): Promise<void> {
    return this.#use((file) => this.#write(file, points), 'create');
  }

  /**
   * One at a time. Opened anew each time, since the file may have been moved away; and again when `act` returns false,
   * because that happened meanwhile.
   */
  #use(act: (file: DiskFile) => Promise<boolean>, absent?: 'create'): Promise<void> {
    return this.#turns.run(async () => {
      try {
        if (absent === 'create') await this.#assertRoom();
        for (let isDone = false; !isDone;) {
          const file = await this.#open(absent);
          if (file === undefined) return;
          isDone = await this.#actOn(file, act);
        }
      } catch (error) {
        if (error instanceof ProxyError) throw error;
        const message = `cannot write to ${this.#file}: ${messageOf(error)}`;
        throw new ProxyError('SPILL_FAILED', message, { cause: error });
      }
    });
  }

  async #assertRoom(): Promise<void> {
    if ((await this.#files.bytes()) < this.#maxBytes) return;
    const message = `the dead letters in ${this.#file} have reached ${this.#maxBytes} bytes: retry or discard them`;
    throw new ProxyError('SPILL_FULL', message);
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
    await this.#disk.makeDirectory(path.dirname(this.#file));
    return this.#disk.open(this.#file, 'create');
  }

  /**
   * Whoever takes the file reads it after renaming it: what is written and synced while it still has its name is seen.
   * False: it had lost it, so that the points may not have been seen, and must be written again.
   */
  async #write(file: DiskFile, points: readonly DeadPoint[]): Promise<boolean> {
    let end = this.#bytes;
    let isNamed: boolean;
    try {
      for (const bytes of piecesOf(points, this.#isOurs || end === 0 ? '' : '\n')) {
        await file.write([bytes], end);
        end += bytes.length;
      }
      await file.sync();
      if (!this.#isNameSynced) await this.#disk.syncDirectory(path.dirname(this.#file));
      isNamed = await file.isNamed(this.#file);
    } catch (error) {
      this.#isOurs = false;
      await file.truncate(this.#bytes).catch(() => undefined);
      throw error;
    }
    this.#bytes = end;
    this.#entries += points.length;
    this.#isOurs = true;
    this.#isNameSynced = isNamed;
    return isNamed;
  }

  /** Counts again when the file is not as we left it. */
  async #lookAgain(file: DiskFile): Promise<void> {
    const size = await file.size();
    if (size === this.#bytes) return;
    this.#entries = await countLines(file, size);
    this.#bytes = size;
    this.#isOurs = false;
    this.#isNameSynced = false;
  }
}

/** `start` and their lines. In pieces, because the lines of one request may amount to more than a string can hold. */
function* piecesOf(points: readonly DeadPoint[], start: string): Iterable<Buffer> {
  let text = start;
  for (const point of points) {
    text += encodeDeadPoint(point);
    if (text.length < PIECE_LENGTH) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

/** Lines that are ended and not empty. */
async function countLines(file: DiskFile, size: number): Promise<number> {
  const window = Buffer.allocUnsafe(Math.min(size, SCAN_BYTES));
  let lines = 0;
  let start = 0;
  for (let at = 0; at < size;) {
    const length = await file.read(window, at);
    if (length === 0) break;
    const bytes = window.subarray(0, length);
    for (let hit = bytes.indexOf(NEWLINE); hit !== -1; hit = bytes.indexOf(NEWLINE, hit + 1)) {
      if (at + hit > start) lines += 1;
      start = at + hit + 1;
    }
    at += length;
  }
  return lines;
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
