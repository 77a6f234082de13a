import { strict as assert } from 'node:assert';
import type { Cleanup } from '../support/cleanup.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import type { Meta } from '../support/meta.ts';
import type { ProxyConfig, ProxyProcess } from '../support/proxy.ts';

/** The database of both servers; the proxy's own has another name. */
export const DB = 'stored';

/** Removes all points. */
export async function empty(servers: readonly Influxd[]): Promise<void> {
  await Promise.all(servers.map((influxd) => influxd.query(DB, 'DROP SERIES FROM /.*/')));
}

type Settings = Readonly<Record<string, unknown>>;

/**
 * For a backend that a test does not break: on a busy machine or a slow disk a real server takes longer for a write than the
 * default allows, and the proxy would rightly answer from its spill.
 */
export const PATIENT: Settings = { spillAfter: 9_000 };

/** Two real servers, each with an empty database. */
export async function startPair(t: Cleanup): Promise<[Influxd, Influxd]> {
  const pair = await Promise.all([startInfluxd(t), startInfluxd(t)]);
  await Promise.all(pair.map((influxd) => influxd.createDatabase(DB)));
  return pair;
}

/** Every measurement on both replicas `a` and `b`. Quick to look again, so that tests do not wait for defaults. */
export function pairConfig(
  urls: readonly [a: string, b: string],
  backend: Settings = {},
  proxy: Settings = {},
): ProxyConfig {
  const settings = { db: DB, checkInterval: 100, rewriteInterval: 300, ...PATIENT, ...backend };
  const [a, b] = urls;
  return {
    proxy: { db: 'metrics', interval: 0, ...proxy },
    backends: { a: { url: a, ...settings }, b: { url: b, ...settings } },
    keymaps: { _default_: ['a', 'b'] },
  };
}

export function isComplete(meta: Meta, name: string): boolean {
  const backend = meta.backends[name];
  return backend?.state === 'complete' && backend.up && backend.backlog.records === 0;
}

/** Resolves when every backend has everything. */
export async function drained(proxy: ProxyProcess, deadlineMs = 60_000): Promise<void> {
  await proxy.waitFor(
    (meta) => Object.keys(meta.backends).every((name) => isComplete(meta, name)),
    {
      what: 'every backend complete',
      deadlineMs,
    },
  );
}

/** Fails with counts and the first differing row: what a diff of thousands of rows would hide. */
export function assertSameRows(
  actual: readonly string[],
  expected: readonly string[],
  what: string,
): void {
  const at = expected.findIndex((row, index) => row !== actual[index]);
  const difference = at === -1 ? expected.length : at;
  const counts = `${what}: ${actual.length} rows, expected ${expected.length}`;
  assert.equal(
    actual[difference],
    expected[difference],
    `${counts}, first difference at ${difference}`,
  );
}
