import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { onProcessEnd } from './process-end.ts';

// A process that was killed a moment ago may still be writing its last file.
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 } as const;

/** A new empty folder, removed at the end. */
export async function tempDir(t: Cleanup): Promise<string> {
  const { folder, remove } = await openTempDir();
  t.after(remove);
  return folder;
}

/** The same for callers that must end something else first: hooks of a test run oldest first. */
export async function openTempDir(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'influx-proxy-'));
  const forget = onProcessEnd(() => {
    rmSync(folder, REMOVE);
  });
  const remove = async (): Promise<void> => {
    await rm(folder, REMOVE);
    forget();
  };
  return { folder, remove };
}
