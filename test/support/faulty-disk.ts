import { type Disk, type DiskFile, nodeDisk, type Space } from '../../src/spill/disk.ts';

/** The machine's disk, until a test says that it is full or broken. */
export class FaultyDisk {
  /** With which code everything fails that would take space, or change what is there. */
  code: 'ENOSPC' | 'EIO' | undefined;
  /** What it says of its own size, if not the truth. */
  size: Space | undefined;

  readonly disk: Disk = {
    ...nodeDisk,
    space: (directory) =>
      this.size === undefined ? nodeDisk.space(directory) : Promise.resolve(this.size),
    open: async (file, mode) => {
      if (mode === 'create') this.#check();
      return this.#fileOf(await nodeDisk.open(file, mode));
    },
  };

  #check(): void {
    if (this.code !== undefined) {
      throw Object.assign(new Error(`${this.code}: as the test wants it`), { code: this.code });
    }
  }

  #fileOf(file: DiskFile): DiskFile {
    return {
      ...file,
      write: async (parts, position) => {
        if (this.code === undefined) return file.write(parts, position);
        const bytes = Buffer.concat(parts);
        await file.write([bytes.subarray(0, bytes.length >> 1)], position);
        this.#check();
      },
      sync: async () => {
        if (this.code === 'EIO') this.#check();
        return file.sync();
      },
    };
  }
}
