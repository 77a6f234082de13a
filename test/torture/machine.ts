import type { Disk, DiskFile, Space } from '../../src/spill/disk.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import type { Random } from './random.ts';
import type { Process, Scheduler } from './scheduler.ts';

type Call = 'read' | 'look' | 'write' | 'sync' | 'names' | 'clean up';

type Caller = <T>(kind: Call, run: () => Promise<T>) => Promise<T>;

/** How the disk behaves for a while. */
export type DiskMood = 'well' | 'full' | 'no sync' | 'flaky' | 'dead';

export interface MachineOptions {
  /** Longest time that one call of the disk takes. */
  readonly diskLatencyMs: number;
  /** A disk that loses what it said it had synced: to see that the simulation notices. */
  readonly ignoresSync: boolean;
}

const ROOMY: Space = { freeBytes: 1e11, totalBytes: 1e12 };
const LOW: Space = { ...ROOMY, freeBytes: 1e6 };

/** The machine under the proxy: a disk with moods, the power, and whoever kills the process. */
export class Machine {
  mood: DiskMood = 'well';
  /** What it says of its own size. */
  isLow = false;
  /** After so many calls of the disk the process dies: in the middle of whatever it does. */
  killAfterCalls = Infinity;
  onKill: () => void = () => undefined;
  faults = 0;
  readonly #options: MachineOptions;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  #disk = new FakeDisk();

  constructor(options: MachineOptions, random: Random, scheduler: Scheduler) {
    this.#options = options;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#disk.ignoresSync = options.ignoresSync;
  }

  files(): Map<string, Buffer> {
    return this.#disk.files();
  }

  /** What was not synced survives in parts, as the seed decides. */
  cutPower(): void {
    const fates = ['kept', 'lost', 'zeros'] as const;
    const likely = this.#random.pick(fates);
    this.#disk = this.#disk.afterPowerCut(() =>
      this.#random.chance(0.5) ? likely : this.#random.pick(fates),
    );
    this.#disk.ignoresSync = this.#options.ignoresSync;
  }

  diskOf(process: Process): Disk {
    const disk = this.#disk;
    const call: Caller = (kind, run) => this.#call({ kind, process, disk }, run);
    return {
      makeDirectory: () => call('names', () => disk.makeDirectory()),
      list: (directory) => call('look', () => disk.list(directory)),
      open: (file, mode) =>
        call(mode === 'create' ? 'names' : 'look', async () =>
          guarded(await disk.open(file, mode), call),
        ),
      rename: (from, to) => call('names', () => disk.rename(from, to)),
      link: (from, to) => call('names', () => disk.link(from, to)),
      remove: (file) => call('clean up', () => disk.remove(file)),
      syncDirectory: () => call('sync', () => disk.syncDirectory()),
      space: () => call('look', () => Promise.resolve(this.isLow ? LOW : ROOMY)),
      handOver: () => call('look', () => disk.handOver()),
    };
  }

  /** One event of the schedule: the call takes effect in it, and only then is its outcome known. */
  #call<T>(
    { kind, process, disk }: { kind: Call; process: Process; disk: FakeDisk },
    run: () => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const act = async (): Promise<void> => {
        if (process.isDead() || this.#diesNow()) return;
        const code = this.#faultOf(kind);
        if (code !== undefined) {
          this.faults += 1;
          Object.assign(disk, { faultCode: code, faultFrom: disk.steps, faultTo: Infinity });
          disk.faultyPart = this.#random.pick([0, 0.5, 1]);
        }
        try {
          const result = await run();
          if (!process.isDead() && !this.#diesNow()) resolve(result);
        } catch (error) {
          if (!process.isDead()) reject(error instanceof Error ? error : new Error(String(error)));
        } finally {
          disk.faultFrom = Infinity;
        }
      };
      const { diskLatencyMs } = this.#options;
      const latency = this.#random.chance(0.8) ? 0 : this.#random.between(0, diskLatencyMs);
      this.#scheduler.after(latency, () => void act());
    });
  }

  #diesNow(): boolean {
    this.killAfterCalls -= 0.5;
    if (this.killAfterCalls > 0) return false;
    this.onKill();
    return true;
  }

  #faultOf(kind: Call): string | undefined {
    // Bytes that cannot be read are lost to the spill, which keeps them aside: no promise covers a disk that loses data.
    if (kind === 'read') return undefined;
    if (this.mood === 'full') return kind === 'write' ? 'ENOSPC' : undefined;
    if (this.mood === 'no sync') return kind === 'sync' ? 'EIO' : undefined;
    if (this.mood === 'dead') return 'EIO';
    if (this.mood === 'flaky') return this.#random.chance(0.25) ? 'EIO' : undefined;
    return undefined;
  }
}

function guarded(file: DiskFile, call: Caller): DiskFile {
  return {
    size: () => call('look', () => file.size()),
    read: (target, position) => call('read', () => file.read(target, position)),
    write: (parts, position) => call('write', () => file.write(parts, position)),
    truncate: (size) => call('clean up', () => file.truncate(size)),
    sync: () => call('sync', () => file.sync()),
    isNamed: (name) => call('look', () => file.isNamed(name)),
    close: () => call('look', () => file.close()),
  };
}
