import { readdir } from 'node:fs/promises';
import { codeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { detachedFileOf, spillDirectoryOf } from './data-dir.ts';
import { DetachedMarker } from './detached-marker.ts';
import type { Disk } from './disk.ts';
import { summarizeSpill } from './inspect.ts';

export interface LeftoversDeps {
  readonly disk: Disk;
  readonly log: Log;
}

/**
 * Says what the data directory holds of backends that the configuration does not name: one that was renamed has lost its
 * backlog, and nobody knows any more that it was detached. Nothing is changed, so that naming it again takes it up.
 */
export async function reportLeftovers(
  dataDir: string,
  configured: readonly string[],
  deps: LeftoversDeps,
): Promise<void> {
  for (const backend of await backendsIn(dataDir)) {
    if (!configured.includes(backend)) await report(dataDir, backend, deps);
  }
}

async function report(dataDir: string, backend: string, { disk, log }: LeftoversDeps) {
  try {
    const { records, points } = await summarizeSpill(spillDirectoryOf(dataDir, backend), disk);
    const detached = await new DetachedMarker(detachedFileOf(dataDir, backend), disk).read();
    if (records === 0 && detached === undefined) return;
    const isDetached = detached !== undefined;
    log.error({ backend, records, points, isDetached }, 'the configuration lacks a backend');
  } catch (error) {
    log.error({ backend, err: error }, 'the configuration lacks a backend');
  }
}

/** Each backend that was ever started with has a directory for its spill. */
async function backendsIn(dataDir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(spillDirectoryOf(dataDir, ''), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
