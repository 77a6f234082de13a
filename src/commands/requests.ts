import { invariant, messageOf, ProxyError } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';
import { DirectoryLock } from '../spill/lock.ts';
import type { CommandRequest, NamedBackend } from './command.ts';

/** The backend that a command is about when it is about one. */
export function onlyBackend({ backends }: Pick<CommandRequest, 'backends'>): NamedBackend {
  const [backend] = backends;
  invariant(backend !== undefined && backends.length === 1, 'the command takes one backend');
  return backend;
}

export interface LockRequest {
  readonly directory: string;
  readonly clock: Clock;
  /** For the operator, when somebody else has the lock. */
  readonly hint: string;
}

/** Throws DATA_DIR_LOCKED, with the hint, before anything is touched. */
export async function whileLocked<T>(
  { directory, clock, hint }: LockRequest,
  run: () => Promise<T>,
): Promise<T> {
  const lock = await DirectoryLock.acquire(directory, clock).catch((error: unknown) => {
    if (!(error instanceof ProxyError)) throw error;
    // Without a cause it is as it should be: somebody else has the lock.
    const reason = error.cause === undefined ? hint : messageOf(error.cause);
    throw new ProxyError(error.code, `${error.message}: ${reason}`, { cause: error });
  });
  try {
    return await run();
  } finally {
    await lock.release();
  }
}
