import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { ProxyError } from '../../src/core/errors.ts';
import { onProcessEnd } from '../support/process-end.ts';

export const directory = mkdtempSync(path.join(tmpdir(), 'influx-proxy-config-'));
export const file = path.join(directory, 'config.json');
onProcessEnd(() => {
  rmSync(directory, { recursive: true });
});

export type Json = Record<string, unknown>;

export function load(content: string | Uint8Array | Json): Config {
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(file, isRaw ? content : JSON.stringify(content));
  return loadConfig(file);
}

/** The lines of the message, without the name of the file that each one starts with. */
export function problemsOf(content: string | Uint8Array | Json): string[] {
  try {
    load(content);
    return [];
  } catch (error) {
    assert.ok(error instanceof ProxyError, String(error));
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.message.split('\n').map((line) => {
      assert.ok(line.startsWith(`${file}: `), line);
      return line.slice(file.length + 2);
    });
  }
}

export const node1 = { url: 'http://127.0.0.1:8086', db: 'metrics' };

export function withProxy(proxy: unknown): Json {
  return { proxy, backends: { node1 }, keymaps: {} };
}

export function withBackend(backend: Json): Json {
  return { backends: { node1: { ...node1, ...backend } }, keymaps: {} };
}

export function withBackendNames(...names: string[]): Json {
  return { backends: Object.fromEntries(names.map((name) => [name, node1])), keymaps: {} };
}

export function withKeymaps(keymaps: unknown): Json {
  return { backends: { node1, node2: node1 }, keymaps };
}

export function checkProblems(content: string | Json, ...expected: string[]): void {
  assert.deepEqual(problemsOf(content), expected, JSON.stringify(content));
}
