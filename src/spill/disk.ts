import {
  chown,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../core/errors.ts';

/**
 * - `read`: an existing file, only to be read.
 * - `update`: an existing file, to be read and changed.
 * - `create`: a new file; fails with EEXIST when there is one.
 */
export type OpenMode = 'read' | 'update' | 'create';

/** What the spill needs of an open file. Positions and sizes are bytes from the file's start. */
export interface DiskFile {
  size(): Promise<number>;
  /** Fills `target` from `position` on and returns how many bytes that were: fewer only at the end of the file. */
  read(target: Buffer, position: number): Promise<number>;
  /** Writes all of `parts` one behind the other. After a rejection any prefix of them may be in the file. */
  write(parts: readonly Buffer[], position: number): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Resolves when the file's bytes and size survive a power cut; its name needs `syncDirectory`. */
  sync(): Promise<void>;
  /** Whether `file` is a name of this file now: it may have been renamed, and another may have its name. */
  isNamed(file: string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * What the spill needs of a file system. A collaborator so that tests can cut the power between any two calls:
 * only what `sync` and `syncDirectory` have confirmed may be relied on.
 */
export interface Disk {
  /** Creates the directory and those above it, and syncs their names. An existing one is fine. */
  makeDirectory(directory: string): Promise<void>;
  /** Names of the regular files and sockets in it, in no order. */
  list(directory: string): Promise<string[]>;
  open(file: string, mode: OpenMode): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. Fails with EEXIST when there is a file `to`, which `rename` would replace. */
  link(from: string, to: string): Promise<void>;
  /** A file that is not there is fine. */
  remove(file: string): Promise<void>;
  /** Resolves when names created, renamed or removed in the directory before the call survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
  /** Makes the directory's owner the owner of a file in it, if we may: commands run as root, the proxy does not. */
  handOver(file: string): Promise<void>;
  /** Of the file system that holds the directory. */
  space(directory: string): Promise<Space>;
}

/** Of a file system. */
export interface Space {
  /** What we may still write: less than what is free, where a part is kept for root. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const FLAGS = { read: 'r', update: 'r+', create: 'wx+' } as const satisfies Record<
  OpenMode,
  string
>;

/** The machine's file system. */
export const nodeDisk: Disk = {
  makeDirectory,
  list: async (directory) => {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  },
  open: async (file, mode) => nodeFile(await open(file, FLAGS[mode], 0o640)),
  rename,
  link,
  remove: (file) => rm(file, { force: true }),
  syncDirectory,
  handOver,
  space: async (directory) => {
    const { bavail, blocks, bsize } = await statfs(directory);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
};

/** For those who only look: whatever would change anything fails with EROFS. */
export function readOnly(disk: Disk): Disk {
  const refuse = (): Promise<never> =>
    Promise.reject(Object.assign(new Error('opened to be read only'), { code: 'EROFS' }));
  return {
    list: (directory) => disk.list(directory),
    space: (directory) => disk.space(directory),
    open: (file, mode) => (mode === 'read' ? disk.open(file, mode) : refuse()),
    makeDirectory: refuse,
    rename: refuse,
    link: refuse,
    remove: refuse,
    syncDirectory: refuse,
    handOver: refuse,
  };
}

/** Afterwards `target` holds either the old bytes or all the new ones, even across a power cut. */
export async function replaceFile(disk: Disk, target: string, bytes: Buffer): Promise<void> {
  const draft = `${target}${DRAFT_SUFFIX}`;
  await disk.remove(draft);
  const file = await disk.open(draft, 'create');
  try {
    await file.write([bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(draft, target);
  await disk.syncDirectory(path.dirname(target));
}

/** Files with this ending are unfinished: whoever finds one after a crash may delete it. */
export const DRAFT_SUFFIX = '.tmp';

async function makeDirectory(directory: string): Promise<void> {
  const firstCreated = await mkdir(directory, { recursive: true, mode: 0o750 });
  if (firstCreated === undefined) return;
  const top = path.dirname(path.resolve(firstCreated));
  for (let at = path.resolve(directory); at !== top;) {
    at = path.dirname(at);
    await syncDirectory(at);
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function handOver(file: string): Promise<void> {
  const [{ uid, gid }, own] = await Promise.all([stat(path.dirname(file)), stat(file)]);
  if (own.uid === uid) return;
  await chown(file, uid, gid).catch((error: unknown) => {
    if (codeOf(error) !== 'EPERM') throw error;
  });
}

async function isNamed(handle: FileHandle, file: string): Promise<boolean> {
  try {
    const [own, named] = await Promise.all([handle.stat(), stat(file)]);
    return own.ino === named.ino && own.dev === named.dev;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function nodeFile(handle: FileHandle): DiskFile {
  return {
    size: async () => (await handle.stat()).size,
    read: (target, position) => readFully(handle, target, position),
    write: (parts, position) => writeFully(handle, parts, position),
    truncate: (size) => handle.truncate(size),
    sync: () => handle.datasync(),
    isNamed: (file) => isNamed(handle, file),
    close: () => handle.close(),
  };
}

async function readFully(handle: FileHandle, target: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** A short write is not an error to the kernel (a nearly full disk); the next one then tells the reason. */
async function writeFully(
  handle: FileHandle,
  parts: readonly Buffer[],
  position: number,
): Promise<void> {
  let at = position;
  let left = parts.filter((part) => part.length > 0);
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left, at);
    at += bytesWritten;
    left = withoutPrefix(left, bytesWritten);
  }
}

function withoutPrefix(parts: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  const left: Buffer[] = [];
  for (const part of parts) {
    if (skip < part.length) left.push(part.subarray(skip));
    skip = Math.max(0, skip - part.length);
  }
  return left;
}
