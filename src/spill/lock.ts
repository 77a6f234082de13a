import { randomBytes } from 'node:crypto';
import { access, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { codeOf, ProxyError } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';

// Who uses a data directory listens on a socket in it. The kernel closes the socket of a dead process, so that a
// lock can never be left behind; and it answers for every process of the machine that sees the directory, whatever
// its container, its PID namespace or its network.
//
//   lock.<id>.wait   a process that wants the directory
//   lock.<id>.held   the process that has it
//
// 1. Listen under a draft name, then rename it to lock.<id>.wait: whoever sees that name can connect to it, as long
//    as we live. The id is random and never used again, so a name that refuses is dead for good and may be removed.
// 2. Look for others. A live .held: it is taken. A live .wait with a smaller id: it goes first, so it is as good as
//    taken. A live .wait with a larger id: it may have looked before we were there; look again until it has decided.
// 3. Nobody is left: rename to lock.<id>.held.
//
// Two processes cannot both pass 2: each shows its name before it looks, so at least one of them sees the other.

const NAME = /^lock\.([0-9a-f]{16})\.(wait|held)$/;
const DRAFT = /^lock\.[0-9a-f]{16}\.new$/;
/** sizeof(sockaddr_un.sun_path) less the final zero, on macOS; Linux has four more. */
const MAX_SOCKET_PATH_BYTES = 103;
const WAIT_MS = 10;
/** A process that is stopped (SIGSTOP) while it waits never decides. */
const MAX_LOOKS = 300;

interface Other {
  readonly name: string;
  readonly id: string;
  readonly isHeld: boolean;
}

/** Keeps a second process out of a directory for as long as this one lives. */
export class DirectoryLock {
  readonly #directory: string;
  readonly #server: Server;
  readonly #handle: FileHandle | undefined;
  readonly #id = randomBytes(8).toString('hex');

  private constructor(directory: string, handle: FileHandle | undefined) {
    this.#directory = directory;
    this.#handle = handle;
    this.#server = createServer((socket) => socket.destroy());
    this.#server.unref();
  }

  /** The directory must exist. Throws DATA_DIR_LOCKED when another process, or this one, has it already. */
  static async acquire(directory: string, clock: Clock): Promise<DirectoryLock> {
    const lock = new DirectoryLock(directory, await shortcut(directory));
    try {
      await lock.#listen();
      await lock.#waitForTurn(clock);
      await rename(lock.#path('wait'), lock.#path('held'));
      return lock;
    } catch (error) {
      await lock.release();
      if (error instanceof ProxyError) throw error;
      throw locked(`cannot lock the data directory ${directory}`, error);
    }
  }

  /** Lets others in. Calling it again does nothing. */
  async release(): Promise<void> {
    for (const state of ['held', 'wait', 'new']) await rm(this.#path(state), { force: true });
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#handle?.close();
  }

  #path(state: string): string {
    return path.join(this.#directory, `lock.${this.#id}.${state}`);
  }

  async #listen(): Promise<void> {
    const draft = this.#socketPath(`lock.${this.#id}.new`);
    await new Promise<void>((resolve, reject) => {
      // For all who get at the directory: else the socket that a killed command of root left behind would answer a
      // proxy that is not root with "no permission" instead of "nobody is there".
      const options = { path: draft, writableAll: true };
      this.#server.once('error', reject).listen(options, resolve);
    });
    await rename(this.#path('new'), this.#path('wait'));
  }

  async #waitForTurn(clock: Clock): Promise<void> {
    const never = new AbortController().signal;
    for (let look = 0; look < MAX_LOOKS; look++) {
      const others = await this.#liveOthers();
      if (others.length === 0) return;
      if (others.some((other) => other.isHeld || other.id < this.#id)) break;
      await clock.sleep(WAIT_MS, never);
    }
    throw locked(`another process uses the data directory ${this.#directory}`);
  }

  /** Removes dead names on its way. */
  async #liveOthers(): Promise<Other[]> {
    const live: Other[] = [];
    for (const name of await readdir(this.#directory)) {
      const [, id, state] = NAME.exec(name) ?? [];
      // A draft may not listen yet, so it is never judged by others; a leftover one is a few bytes.
      if (DRAFT.test(name) || id === undefined || id === this.#id) continue;
      const answer = await answerOf(this.#socketPath(name));
      if (answer === 'dead') await rm(path.join(this.#directory, name), { force: true });
      // Gone since we looked: renamed from .wait to .held, or released. Look at all of them again.
      if (answer === 'gone') return this.#liveOthers();
      if (answer === 'alive') live.push({ name, id, isHeld: state === 'held' });
    }
    return live;
  }

  #socketPath(name: string): string {
    const handle = this.#handle;
    return handle === undefined
      ? path.join(this.#directory, name)
      : path.join(descriptorPath(handle), name);
  }
}

/** When the directory's path is too long for a socket: a way to it through an open descriptor, where there is one. */
async function shortcut(directory: string): Promise<FileHandle | undefined> {
  const longest = path.join(directory, `lock.${'0'.repeat(16)}.wait`);
  if (Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES) return undefined;
  const handle = await open(directory, 'r');
  try {
    await access(descriptorPath(handle));
    return handle;
  } catch (error) {
    await handle.close();
    throw locked(`the path of the data directory ${directory} is too long to lock`, error);
  }
}

function descriptorPath(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

function answerOf(socketPath: string): Promise<'alive' | 'dead' | 'gone'> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error) => {
      const code = codeOf(error);
      // Anything else (no permission, too many waiting) comes from a live process, or we cannot know.
      if (code === 'ECONNREFUSED') resolve('dead');
      else resolve(code === 'ENOENT' ? 'gone' : 'alive');
    });
  });
}

function locked(message: string, cause?: unknown): ProxyError {
  return new ProxyError('DATA_DIR_LOCKED', message, { cause });
}
