import path from 'node:path';
import type { Disk, DiskFile, OpenMode, Space } from '../../src/spill/disk.ts';

/** Thrown by every call from the moment at which the power is cut. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

/** A change that may be on the disk or not, until a sync succeeds; after one that failed nobody will ever know. */
interface Doubt {
  readonly change: Change;
  /** `due`: the next sync decides. `lost`: a sync has failed, no later one repeats it. `kept`: on the disk. */
  state: 'due' | 'lost' | 'kept';
}

type Renaming =
  | { readonly kind: 'create'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly name: string };

/** What becomes of one thing that was not synced. */
export type Fate = 'kept' | 'lost' | 'zeros';

/** Decides about one thing: a name, a file's size, or one sector of a write. */
export type Fates = (what: 'name' | 'truncate' | 'write') => Fate;

interface Inode {
  /** What a running program sees. */
  seen: Buffer;
  /** What is on the disk for certain. */
  durable: Buffer;
  /** Made since, oldest first. */
  doubts: Doubt[];
}

/** A power cut tears a write at any multiple of this. Small, so that headers are torn too. */
const SECTOR_BYTES = 8;

/**
 * A disk in memory that is as unkind as the real ones may be: without `sync` any part of a write may be missing
 * after a power cut, without `syncDirectory` any name; after a failed `sync` what was written may be on the disk or not,
 * and no later `sync` brings it there, although it can be read. It counts calls; the power is cut, or some calls fail, at
 * the number asked for.
 */
export class FakeDisk implements Disk {
  steps = 0;
  /** Called at the beginning of each. */
  onStep: () => void = () => undefined;
  /** At this step, and after it, nothing works any more. */
  cutAt = Infinity;
  /** These steps fail with `faultCode`. */
  faultFrom = Infinity;
  faultTo = Infinity;
  faultCode = 'EIO';
  /** How much of a write that fails is written all the same. */
  faultyPart = 0.5;
  /** So many segments cannot be deleted at first. */
  stuckSegments = 0;
  /** A disk that says it has synced and has not, to see a test fail. */
  ignoresSync = false;
  ignoresDirectorySync = false;
  /** What it says of its own size; it takes any amount all the same. */
  size: Space = { freeBytes: 1e12, totalBytes: 1e12 };
  readonly #seen = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  #unsynced: Renaming[] = [];

  /** The disk after the power is back. `fate` decides about each thing that was not synced. */
  afterPowerCut(fate: Fates): FakeDisk {
    const names = new Map(this.#durable);
    for (const change of this.#unsynced) if (fate('name') === 'kept') rename(names, change);
    const disk = new FakeDisk();
    for (const [name, inode] of names) disk.put(name, survivor(inode, fate));
    return disk;
  }

  /** A file that is there, synced. */
  put(file: string, bytes: Buffer): void {
    const inode = { seen: bytes, durable: bytes, doubts: [] };
    this.#seen.set(file, inode);
    this.#durable.set(file, inode);
  }

  /** A running program's view of all files. */
  files(): Map<string, Buffer> {
    return new Map([...this.#seen].map(([name, inode]) => [name, inode.seen]));
  }

  async makeDirectory(): Promise<void> {
    await this.#step();
  }

  async list(directory: string): Promise<string[]> {
    await this.#step();
    const files = [...this.#seen.keys()].filter((file) => path.dirname(file) === directory);
    return files.map((file) => path.basename(file));
  }

  async open(file: string, mode: OpenMode): Promise<DiskFile> {
    await this.#step();
    const existing = this.#seen.get(file);
    if (mode !== 'create') {
      if (existing === undefined) throw failure('ENOENT', file);
      return this.#fileOf(existing);
    }
    if (existing !== undefined) throw failure('EEXIST', file);
    const inode: Inode = { seen: Buffer.alloc(0), durable: Buffer.alloc(0), doubts: [] };
    this.#rename({ kind: 'create', name: file, inode });
    return this.#fileOf(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step();
    if (!this.#seen.has(from)) throw failure('ENOENT', from);
    this.#rename({ kind: 'rename', from, to });
  }

  async link(from: string, to: string): Promise<void> {
    await this.#step();
    const inode = this.#seen.get(from);
    if (inode === undefined) throw failure('ENOENT', from);
    if (this.#seen.has(to)) throw failure('EEXIST', to);
    this.#rename({ kind: 'create', name: to, inode });
  }

  async remove(file: string): Promise<void> {
    await this.#step();
    if (file.endsWith('.segment') && this.stuckSegments-- > 0) throw failure('EIO', file);
    if (this.#seen.has(file)) this.#rename({ kind: 'remove', name: file });
  }

  async syncDirectory(): Promise<void> {
    await this.#step();
    if (this.ignoresDirectorySync) return;
    for (const change of this.#unsynced) rename(this.#durable, change);
    this.#unsynced = [];
  }

  async handOver(): Promise<void> {
    await this.#step();
  }

  async space(): Promise<Space> {
    await this.#step();
    return this.size;
  }

  #rename(change: Renaming): void {
    rename(this.#seen, change);
    this.#unsynced.push(change);
  }

  #fileOf(inode: Inode): DiskFile {
    return {
      size: async () => {
        await this.#step();
        return inode.seen.length;
      },
      read: async (target, position) => {
        await this.#step();
        return inode.seen.copy(target, 0, position);
      },
      write: (parts, position) => this.#write(inode, Buffer.concat(parts), position),
      truncate: async (size) => {
        await this.#step();
        change(inode, { kind: 'truncate', size });
      },
      sync: () => this.#sync(inode),
      isNamed: async (file) => {
        await this.#step();
        return this.#seen.get(file) === inode;
      },
      close: () => this.#step(),
    };
  }

  /** A failing write has written a part, as on a full disk. */
  async #write(inode: Inode, bytes: Buffer, position: number): Promise<void> {
    try {
      await this.#step();
    } catch (error) {
      const part = bytes.subarray(0, Math.floor(bytes.length * this.faultyPart));
      change(inode, { kind: 'write', position, bytes: part });
      throw error;
    }
    change(inode, { kind: 'write', position, bytes });
  }

  async #sync(inode: Inode): Promise<void> {
    try {
      await this.#step();
    } catch (error) {
      if (!(error instanceof PowerCut)) decide(inode, 'lost');
      throw error;
    }
    if (!this.ignoresSync) decide(inode, 'kept');
  }

  async #step(): Promise<void> {
    await Promise.resolve();
    this.steps += 1;
    this.onStep();
    if (this.steps >= this.cutAt) throw new PowerCut();
    if (this.steps >= this.faultFrom && this.steps < this.faultTo)
      throw failure(this.faultCode, `step ${this.steps}`);
  }
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

function rename(names: Map<string, Inode>, change: Renaming): void {
  if (change.kind === 'create') names.set(change.name, change.inode);
  if (change.kind === 'remove') names.delete(change.name);
  if (change.kind !== 'rename') return;
  const inode = names.get(change.from);
  if (inode === undefined) return;
  names.delete(change.from);
  names.set(change.to, inode);
}

function change(inode: Inode, what: Change): void {
  inode.seen = changed(inode.seen, what);
  inode.doubts.push({ change: what, state: 'due' });
}

function decide(inode: Inode, state: 'lost' | 'kept'): void {
  for (const doubt of inode.doubts) {
    // The size of a file is no page: the next sync that succeeds brings it.
    const isLost = state === 'lost' && doubt.change.kind === 'write';
    if (doubt.state === 'due' && (state === 'kept' || isLost)) doubt.state = state;
  }
  for (let [first] = inode.doubts; first?.state === 'kept'; [first] = inode.doubts) {
    inode.durable = changed(inode.durable, first.change);
    inode.doubts.shift();
  }
}

function changed(bytes: Buffer, what: Change): Buffer {
  if (what.kind === 'truncate') {
    const result = Buffer.alloc(what.size);
    bytes.copy(result);
    return result;
  }
  const result = Buffer.alloc(Math.max(bytes.length, what.position + what.bytes.length));
  bytes.copy(result);
  what.bytes.copy(result, what.position);
  return result;
}

function survivor(inode: Inode, fate: Fates): Buffer {
  let bytes = inode.durable;
  for (const { change: what, state } of inode.doubts) {
    if (state === 'kept') bytes = changed(bytes, what);
    else if (what.kind === 'truncate')
      bytes = fate('truncate') === 'kept' ? changed(bytes, what) : bytes;
    else bytes = torn(bytes, what, fate);
  }
  return bytes;
}

/** Each sector is written or not, in any order; a file may have grown over sectors that were not. */
function torn(before: Buffer, what: Change & { kind: 'write' }, fate: Fates): Buffer {
  let bytes = before;
  for (let at = 0; at < what.bytes.length; at += SECTOR_BYTES) {
    const sector = what.bytes.subarray(at, at + SECTOR_BYTES);
    const position = what.position + at;
    const how = fate('write');
    if (how === 'kept') bytes = changed(bytes, { kind: 'write', position, bytes: sector });
    if (how === 'zeros')
      bytes = changed(bytes, { kind: 'write', position, bytes: Buffer.alloc(sector.length) });
  }
  return bytes;
}
