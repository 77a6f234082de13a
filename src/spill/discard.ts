import path from 'node:path';
import { codeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { CURSOR_FILE } from './cursor.ts';
import type { Disk } from './disk.ts';
import { Spill } from './spill.ts';
import { NOTHING, type Totals } from './totals.ts';

/** Nothing is appended, so no limit matters. */
const UNLIMITED = { maxBytes: Number.MAX_SAFE_INTEGER, segmentBytes: Number.MAX_SAFE_INTEGER };

/**
 * Forgets what is undelivered, and says how much that was. Sequence numbers go on rising, and `.bad` files stay. The
 * caller has the directory's lock (lock.ts): a running proxy would not notice.
 */
export async function discardSpill(
  directory: string,
  deps: { readonly disk: Disk; readonly log: Log },
): Promise<Totals> {
  if (!(await exists(directory, deps.disk))) return NOTHING;
  const spill = await Spill.open({ directory, ...UNLIMITED }, deps);
  try {
    const discarded = spill.backlog;
    await spill.discard();
    return discarded;
  } finally {
    await spill.close();
    await deps.disk.handOver(path.join(directory, CURSOR_FILE)).catch(() => undefined);
  }
}

async function exists(directory: string, disk: Disk): Promise<boolean> {
  try {
    await disk.list(directory);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
