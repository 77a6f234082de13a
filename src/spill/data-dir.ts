import path from 'node:path';

/** Of one backend; see README.md beside this file for what is in it. */
export function spillDirectoryOf(dataDir: string, backend: string): string {
  return path.join(dataDir, 'spill', backend);
}

/** Of one backend: JSON lines. */
export function deadLetterFileOf(dataDir: string, backend: string): string {
  return path.join(dataDir, 'dead-letter', `${backend}.jsonl`);
}

/** Of one backend: there while it is detached. Not in its spill: whoever clears that must not bring the backend back. */
export function detachedFileOf(dataDir: string, backend: string): string {
  return path.join(dataDir, 'detached', `${backend}.json`);
}
