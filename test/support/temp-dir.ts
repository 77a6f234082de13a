import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

/** A fresh directory that is deleted after the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'influx-proxy-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
