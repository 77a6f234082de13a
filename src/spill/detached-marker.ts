import path from 'node:path';
import { codeOf } from '../core/errors.ts';
import { type Disk, replaceFile } from './disk.ts';

/** What is on file about a backend that was given up. */
export interface DetachedState {
  /** ISO 8601; empty when the file does not tell. */
  readonly since: string;
  readonly reason: string;
  /** Points that it did not get: at least so many, because this is not saved with every point. */
  readonly missedPoints: number;
}

/** Longer files are not ours, but what counts is that they are there. */
const MAX_BYTES = 4096;

/** The file whose existence means that a backend is detached, whatever is in it. */
export class DetachedMarker {
  readonly #file: string;
  readonly #disk: Disk;

  constructor(file: string, disk: Disk) {
    this.#file = file;
    this.#disk = disk;
  }

  /** Undefined: there is none. Rejects when the disk cannot tell. */
  async read(): Promise<DetachedState | undefined> {
    try {
      const file = await this.#disk.open(this.#file, 'read');
      try {
        const bytes = Buffer.alloc(MAX_BYTES);
        return decode(bytes.toString('utf8', 0, await file.read(bytes, 0)));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Resolves when it survives a power cut. After a rejection it may be there or not. */
  async write(state: DetachedState): Promise<void> {
    await this.#disk.makeDirectory(path.dirname(this.#file));
    await replaceFile(this.#disk, this.#file, Buffer.from(`${JSON.stringify(state)}\n`));
  }

  /** Resolves when its absence survives a power cut. */
  async remove(): Promise<void> {
    await this.#disk.remove(this.#file);
    try {
      await this.#disk.syncDirectory(path.dirname(this.#file));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

function decode(text: string): DetachedState {
  const found = parse(text);
  const { since, reason, missedPoints } = Object(found) as Partial<Record<string, unknown>>;
  return {
    since: typeof since === 'string' ? since : '',
    reason: typeof reason === 'string' ? reason : '',
    missedPoints: typeof missedPoints === 'number' ? missedPoints : 0,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
