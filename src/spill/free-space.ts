import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { Disk, Space } from './disk.ts';

/** Far less than a disk takes in this time, on the disks on which the reserve is small. */
const CHECK_INTERVAL_MS = 250;

const MIB = 1024 * 1024;

/**
 * Bytes that stay free: one percent of the file system, but at least 64 MiB, which holds what is in memory, compressed,
 * when a backend fails in the moment in which the disk gets low. At most a tenth, so that a small volume is of use, and
 * at most 1 GiB.
 */
export function reserveOf({ totalBytes }: Pick<Space, 'totalBytes'>): number {
  return Math.min(totalBytes / 10, Math.max(64 * MIB, totalBytes / 100), 1024 * MIB);
}

export interface FreeSpaceDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
}

/** Knows whether the disk is nearly full, before it is. Looked at some times a second, never on the way of a write. */
export class FreeSpace {
  #isLow = false;
  #freeBytes: number | undefined;
  #isBlind = false;
  readonly #stop = new AbortController();
  readonly #directory: string;
  readonly #deps: FreeSpaceDeps;

  constructor(directory: string, deps: FreeSpaceDeps) {
    this.#directory = directory;
    this.#deps = deps;
  }

  /** Less than the reserve is free: no backlog may grow. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** As of the last look; undefined before the first one, and where the system does not tell. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  /** Looks until `close`. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.look();
      await this.#deps.clock.sleep(CHECK_INTERVAL_MS, this.#stop.signal);
    }
  }

  close(): void {
    this.#stop.abort();
  }

  async look(): Promise<void> {
    const directory = this.#directory;
    try {
      this.#judge(await this.#deps.disk.space(directory));
      this.#isBlind = false;
    } catch (error) {
      // What was known stays true for now; a disk that is full will say so itself.
      if (!this.#isBlind)
        this.#deps.log.warn({ err: error, directory }, 'cannot see the free space');
      this.#isBlind = true;
    }
  }

  #judge(space: Space): void {
    const { freeBytes } = space;
    const reserveBytes = reserveOf(space);
    const directory = this.#directory;
    this.#freeBytes = freeBytes;
    if (!this.#isLow && freeBytes < reserveBytes) {
      this.#isLow = true;
      this.#deps.log.error({ directory, freeBytes, reserveBytes }, 'disk is nearly full');
    } else if (this.#isLow && freeBytes >= enough(reserveBytes)) {
      this.#isLow = false;
      this.#deps.log.info({ directory, freeBytes }, 'disk has room again');
    }
  }
}

/** A little more than the reserve, so that a disk at the limit does not go back and forth. */
function enough(reserveBytes: number): number {
  return reserveBytes * 1.1;
}
