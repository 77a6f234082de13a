import { setImmediate as turn } from 'node:timers/promises';
import type { Disk } from '../../src/spill/disk.ts';
import { eventually } from '../support/eventually.ts';
import { FakeDisk } from '../support/fake-disk.ts';

/** A disk on which a sync takes until the test lets it happen. */
export class HeldDisk extends FakeDisk {
  /** Part of the name of the files whose syncs wait. */
  held: string | undefined;
  #waiting: (() => void)[] = [];

  override async open(...[file, mode]: Parameters<Disk['open']>): ReturnType<Disk['open']> {
    const opened = await super.open(file, mode);
    return {
      ...opened,
      sync: async () => {
        if (this.held !== undefined && file.includes(this.held)) {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
        return opened.sync();
      },
    };
  }

  /** Resolves when a sync waits, and whatever could go on without it has done so. */
  async untilHeld(): Promise<void> {
    await eventually('a sync', () => this.#waiting.length > 0, { intervalMs: 1 });
    for (let turns = 0; turns < 20; turns++) await turn();
  }

  release(): void {
    this.held = undefined;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}
