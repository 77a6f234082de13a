import { codeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Disk } from './disk.ts';
import type { Segment } from './segment.ts';

export interface FinishedSegmentsDeps {
  readonly disk: Disk;
  readonly log: Log;
}

/**
 * Segments that are wholly delivered, as long as their files are there. They are deleted oldest first, each for good before
 * the next: a crash that left an old one without the newer ones would have it sent again, on top of newer data.
 */
export class FinishedSegments {
  // Oldest first.
  readonly #segments: Segment[];
  readonly #directory: string;
  readonly #deps: FinishedSegmentsDeps;

  constructor(directory: string, segments: readonly Segment[], deps: FinishedSegmentsDeps) {
    this.#directory = directory;
    this.#segments = [...segments];
    this.#deps = deps;
  }

  /** Each newer than all that were added before. */
  add(...segments: readonly Segment[]): void {
    this.#segments.push(...segments);
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** One of them may hold rejected records, which the next process would find. */
  get isUnclean(): boolean {
    return this.#segments.some((segment) => segment.isUnclean);
  }

  /** What they occupy on disk. */
  get fileBytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.fileBytes;
    return bytes;
  }

  /** Resolves with false when a file could not be deleted: it and all newer ones are left for another time. */
  async delete(): Promise<boolean> {
    for (let oldest = this.#segments[0]; oldest !== undefined; oldest = this.#segments[0]) {
      try {
        await this.#deleteFile(oldest);
      } catch (error) {
        const { file } = oldest;
        this.#deps.log.warn({ err: error, file }, 'cannot delete a delivered spill segment');
        return false;
      }
      this.#segments.shift();
    }
    return true;
  }

  /** Synced, which keeps the order of the deletions across a power cut. */
  async #deleteFile({ file, isEvidence }: Segment): Promise<void> {
    const { disk } = this.#deps;
    try {
      if (isEvidence) await disk.rename(file, `${file}.bad`);
      else await disk.remove(file);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await disk.syncDirectory(this.#directory);
  }
}
