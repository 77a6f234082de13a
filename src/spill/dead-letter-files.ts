import path from 'node:path';
import { codeOf } from '../core/errors.ts';
import { decodeDeadPoint } from './dead-point.ts';
import { type Disk, type DiskFile, DRAFT_SUFFIX } from './disk.ts';

// The dead letters of a backend as a command sees them, while a running proxy goes on appending to <file>:
//
//   <file>.taken      what a command is at work on; nobody else writes it
//   <file>.newer      what was appended meanwhile, about to be joined to it
//   <file>.taken.tmp  the next state of .taken, unfinished
//
// 1. Take: rename <file> to .newer, and that to .taken or, when there is one, join it to that. The proxy starts a new
//    <file> with its next dead letter; one that it was just writing, it writes again when it sees that its file has
//    lost the name (dead-letter.ts).
// 2. Replace .taken by what is to be kept of it.
// 3. Put back: give .taken the name <file> with `link`, which replaces nothing. If there is a new <file>, take that
//    too, and try again; after a few attempts leave it, for the next command.
//
// At every step each point is in one of the three files, so that a command that was killed loses none. The next one
// finds what it left; then a point may be there, or be sent, twice.

const NEWLINE = 0x0a;
const READ_BYTES = 64 * 1024;
/** What is gathered in memory before it is written. */
const WRITE_BYTES = 1024 * 1024;
/** To put back what is kept. */
const MAX_ATTEMPTS = 3;

/** Changes lines of a dead letter, without their newlines, into those that are kept. */
export type Rewrite = (lines: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** One command at a time may change them (lock.ts); looking is always allowed and changes nothing. */
export class DeadLetterFiles {
  readonly #disk: Disk;
  readonly #file: string;
  readonly #directory: string;
  readonly #taken: string;
  readonly #newer: string;

  constructor(file: string, disk: Disk) {
    this.#disk = disk;
    this.#file = file;
    this.#directory = path.dirname(file);
    this.#taken = `${file}.taken`;
    this.#newer = `${file}.newer`;
  }

  /** Every line, the oldest files first. Those that a command moves at this very moment may be missed or come twice. */
  async *lines(): AsyncIterable<Buffer> {
    yield* this.#linesOf(this.#taken);
    yield* this.#linesOf(this.#newer);
    yield* this.#linesOf(this.#file);
  }

  /** Bytes of all files. */
  async bytes(): Promise<number> {
    let bytes = 0;
    for (const file of [this.#taken, this.#newer, this.#file])
      bytes += (await this.#reading(file, (open) => open.size())) ?? 0;
    return bytes;
  }

  /**
   * Replaces all lines that are there by what `rewrite` makes of them; lines that come meanwhile stay. When it fails,
   * or this process is killed, all of them are kept.
   */
  async rewrite(rewrite: Rewrite): Promise<void> {
    if (!(await this.#take())) return;
    try {
      await this.#replaceTaken(rewrite(this.#linesOf(this.#taken)));
    } finally {
      await this.#putBack();
    }
  }

  /** False: there are none. */
  async #take(): Promise<boolean> {
    // What a killed command left: the two names of one file, or the files that it was about to join.
    if (await this.#reading(this.#taken, (file) => file.isNamed(this.#file)))
      await this.#remove(this.#taken);
    await this.#joinNewer();
    await this.#takeNewer();
    return this.#exists(this.#taken);
  }

  /** Where dead letters come all the time, what is kept may have to stay in .taken; it is read there as well. */
  async #putBack(): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const isEmpty = (await this.#reading(this.#taken, (file) => file.size())) === 0;
      if (isEmpty || (await this.#linkTaken())) {
        await this.#remove(this.#taken);
        return;
      }
      await this.#takeNewer();
    }
  }

  /** False: a new file has the name. */
  async #linkTaken(): Promise<boolean> {
    await this.#disk.handOver(this.#taken);
    try {
      await this.#disk.link(this.#taken, this.#file);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    // The new name must survive a power cut before the old one goes.
    await this.#disk.syncDirectory(this.#directory);
    return true;
  }

  async #takeNewer(): Promise<void> {
    try {
      await this.#disk.rename(this.#file, this.#newer);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    await this.#disk.syncDirectory(this.#directory);
    await this.#joinNewer();
  }

  async #joinNewer(): Promise<void> {
    if (!(await this.#exists(this.#newer))) return;
    if (await this.#exists(this.#taken)) {
      await this.#replaceTaken(this.#takenAndNewer());
      await this.#remove(this.#newer);
    } else {
      // No copy: a full disk must not keep anybody from freeing it.
      await this.#disk.rename(this.#newer, this.#taken);
      await this.#disk.syncDirectory(this.#directory);
    }
  }

  async *#takenAndNewer(): AsyncIterable<Buffer> {
    yield* this.#linesOf(this.#taken);
    yield* this.#linesOf(this.#newer);
  }

  async #replaceTaken(lines: AsyncIterable<Buffer>): Promise<void> {
    const draft = `${this.#taken}${DRAFT_SUFFIX}`;
    await this.#disk.remove(draft);
    const file = await this.#disk.open(draft, 'create');
    try {
      await writeLines(file, lines);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(draft, this.#taken);
    await this.#disk.syncDirectory(this.#directory);
  }

  async #remove(file: string): Promise<void> {
    await this.#disk.remove(file);
    await this.#disk.syncDirectory(this.#directory);
  }

  /** A file that is not there, or vanishes, has no lines. */
  async *#linesOf(name: string): AsyncIterable<Buffer> {
    let file: DiskFile;
    try {
      file = await this.#disk.open(name, 'read');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    try {
      yield* linesIn(file);
    } finally {
      await file.close();
    }
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.#reading(name, () => Promise.resolve(true))) === true;
  }

  async #reading<T>(name: string, use: (file: DiskFile) => Promise<T>): Promise<T | undefined> {
    try {
      const file = await this.#disk.open(name, 'read');
      try {
        return await use(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

/** Whole lines, without newlines, and a last one that was not ended but is whole: somebody's editor left it so. */
async function* linesIn(file: DiskFile): AsyncIterable<Buffer> {
  let rest: Buffer[] = [];
  for (let at = 0; ;) {
    const chunk = Buffer.allocUnsafe(READ_BYTES);
    const length = await file.read(chunk, at);
    if (length === 0) break;
    at += length;
    const bytes = chunk.subarray(0, length);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...rest, bytes.subarray(start, end)]);
      rest = [];
      start = end + 1;
      if (line.length > 0) yield line;
    }
    rest.push(bytes.subarray(start));
  }
  const last = Buffer.concat(rest);
  if (decodeDeadPoint(last.toString()) !== undefined) yield last;
}

async function writeLines(file: DiskFile, lines: AsyncIterable<Buffer>): Promise<void> {
  let parts: Buffer[] = [];
  let pending = 0;
  let position = 0;
  const flush = async (): Promise<void> => {
    await file.write([Buffer.concat(parts)], position);
    position += pending;
    parts = [];
    pending = 0;
  };
  for await (const line of lines) {
    parts.push(line, Buffer.of(NEWLINE));
    pending += line.length + 1;
    if (pending >= WRITE_BYTES) await flush();
  }
  if (pending > 0) await flush();
}
