import { strict as assert } from 'node:assert';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import type { Influxd } from '../support/influxd.ts';
import type { Meta } from '../support/meta.ts';
import type { ProxyConfig, ProxyProcess } from '../support/proxy.ts';
import { runCli } from '../support/cli.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { Load } from './load.ts';
import { ask } from './query-client.ts';
import { DB, drained, isComplete, pairConfig, startPair } from './replica-pair.ts';

/** Far more than the clients of a test reserve at a time, far less than what they write. */
const MAX_SPILL_BYTES = 20_000;

/** A pair of which `b` has little room. */
function tightConfig(
  urls: readonly [a: string, b: string],
  settings: Readonly<Record<string, unknown>> = {},
): ProxyConfig {
  const config = pairConfig(urls);
  const b = { ...config.backends['b'], maxSpillBytes: MAX_SPILL_BYTES, ...settings };
  return { ...config, backends: { ...config.backends, b } };
}

/** A point that gzip does not make small: some dozens fill the spill, each of which has to wait for the disk. */
function bulky(time: number): string {
  return `m v="${randomBytes(500).toString('base64')}" ${time}`;
}

function isDetached({ backends }: Meta): boolean {
  return backends['b']?.state === 'detached';
}

function reattach(proxy: ProxyProcess, ...args: string[]) {
  return runCli(`--config=${proxy.configPath}`, 'backend', 'reattach', 'b', ...args);
}

/** Every file of its spill, with a hash of its bytes. */
async function spillOf(proxy: ProxyProcess, name: string): Promise<Record<string, string>> {
  const directory = path.join(proxy.dataDir, 'spill', name);
  const entries = (await readdir(directory)).map(async (file): Promise<[string, string]> => [
    file,
    createHash('sha256')
      .update(await readFile(path.join(directory, file)))
      .digest('hex'),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

/** Rows of a Load, from one server to another: what an operator does. */
async function copy(from: Influxd, to: Influxd): Promise<void> {
  for (const measurement of ['load', 'last']) {
    const lines = (await from.rows(DB, measurement)).map((row) => {
      const [, writer, time, value] = /\{"w":"(\d+)"\} (\d+) v:integer=(\d+)$/.exec(row) ?? [];
      return `${measurement},w=${writer} v=${value}i ${time}`;
    });
    for (let at = 0; at < lines.length; at += 5_000)
      await to.write(DB, lines.slice(at, at + 5_000));
  }
}

test('a backend whose spill overflows is detached, gets nothing, answers nothing, and comes back', async (t) => {
  const [a, b] = await startPair(t);
  const network = await tcpProxy(t, b.port);
  const proxy = await startProxy(t, tightConfig([a.url, network.url]));
  await drained(proxy);
  const load = new Load(t, proxy);
  await load.more(20);
  await network.cut();
  const { backends } = await proxy.waitFor(isDetached, { deadlineMs: 120_000 });
  assert.deepEqual(load.failures, [], 'clients see nothing of it');
  assert.match(backends['b']?.detached?.since ?? '', /^20\d\d-.*Z$/);
  assert.equal(backends['b']?.detached?.reason, 'its spill is full');
  const [logged] = await eventually('a line in the log', () => {
    const lines = proxy.logged('backend is detached');
    return lines.length > 0 && lines;
  });
  assert.equal(logged?.level, 'error');

  // Back on the network it gets nothing, neither new nor old.
  await load.more(50);
  const spill = await spillOf(proxy, 'b');
  const known = await b.rows(DB, 'load');
  await network.restore();
  await proxy.waitFor((meta) => meta.backends['b']?.up === true);
  await load.more(200);
  const missed = (await proxy.meta()).backends['b']?.detached?.missedPoints ?? 0;
  assert.ok(missed >= 250 * 4, `${missed} points`);
  assert.deepEqual(await b.rows(DB, 'load'), known);
  assert.deepEqual(await spillOf(proxy, 'b'), spill);
  const { backlog } = (await proxy.meta()).backends['b'] ?? {};

  // It is never read, not even when it is the last; and a kill -9 brings nothing back.
  await a.kill();
  const answer = await ask(proxy.url, 'metrics', 'SELECT * FROM load');
  assert.equal(answer.status, 503, answer.text);
  await proxy.kill();
  await a.start();
  await proxy.start();
  assert.ok(isDetached(await proxy.meta()));
  assert.equal(proxy.logged('backend is detached').length, 2);
  await load.more(50);
  assert.equal((await ask(proxy.url, 'metrics', 'DELETE FROM nothing')).status, 200);
  assert.deepEqual(await b.rows(DB, 'load'), known);
  assert.deepEqual((await proxy.meta()).backends['b']?.backlog, backlog);

  // An orderly end saves the count.
  assert.equal(await proxy.stop(), 0);
  await proxy.start();
  const counted = (await proxy.meta()).backends['b']?.detached?.missedPoints ?? 0;
  assert.ok(counted >= 50 * 4, `${counted} points`);

  // The operator: attach it to be written to, copy, let it be read.
  assert.deepEqual(await reattach(proxy), {
    code: 1,
    stdout: '',
    stderr: `influx-proxy: another process uses the data directory ${proxy.dataDir}: stop the proxy first; nothing was changed\n`,
  });
  await proxy.stop();
  const { code, stdout } = await reattach(proxy, '--json');
  assert.equal(code, 0);
  const told = JSON.parse(stdout) as { backend: string; discarded: { points: number } };
  assert.equal(told.backend, 'b');
  assert.ok(told.discarded.points > 0);
  const again = await reattach(proxy);
  assert.deepEqual(
    [again.code, again.stderr],
    [1, 'influx-proxy: the backend b is not detached\n'],
  );
  await proxy.configure(tightConfig([a.url, network.url], { writeOnly: 1 }));
  await proxy.start();
  await load.more(20);
  await copy(a, b);
  await load.more(20);
  await proxy.stop();
  await proxy.configure(tightConfig([a.url, network.url]));
  await proxy.start();
  await load.more(20);
  await load.stop();
  await drained(proxy);
  await load.assertStored(a, 'a');
  await load.assertStored(b, 'b');
});

test('the last holder of a route is never detached: its clients get 503, and later their points are taken', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const pair = tightConfig([a.url, b.url]);
  const proxy = await startProxy(t, { ...pair, keymaps: { ...pair.keymaps, only: ['b'] } });
  await drained(proxy);
  b.answer(503);
  let written = 0;
  const write = async () => proxy.request('/write?db=metrics', { body: bulky(++written) });
  await eventually('503', async () => (await write()).status === 503, { intervalMs: 0 });
  const answer = await write();
  assert.equal(answer.status, 503);
  assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
  assert.match(answer.text, /no room left in the spill of b/);
  const full = await proxy.meta();
  assert.equal(full.backends['b']?.state, 'catching up');

  // Its space comes back segment by segment, and with it the writes.
  const folder = path.join(proxy.dataDir, 'spill', 'b');
  const segments: number[] = [];
  b.answer(() => {
    segments.push(readdirSync(folder).filter((file) => file.endsWith('.segment')).length);
    return 204;
  });
  await proxy.waitFor((meta) => isComplete(meta, 'b'));
  assert.ok(segments[0] === 4 && new Set(segments).size === 4, segments.join(' '));
  assert.deepEqual(
    segments,
    segments.toSorted((x, y) => y - x),
    'it never grows meanwhile',
  );
  assert.deepEqual(readdirSync(folder), ['cursor']);
  assert.equal((await write()).status, 204);
});

test('with "reject" a full spill is a 503 and nothing else', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const proxy = await startProxy(t, tightConfig([a.url, b.url], { onSpillFull: 'reject' }));
  await drained(proxy);
  b.answer(503);
  let written = 0;
  const write = async () => proxy.request('/write?db=metrics', { body: bulky(++written) });
  await eventually('503', async () => (await write()).status === 503, { intervalMs: 0 });
  assert.match((await write()).headers['retry-after'] ?? '', /^\d+$/);
  assert.equal((await proxy.meta()).backends['b']?.state, 'catching up');
  b.answer();
  await drained(proxy);
  assert.equal((await write()).status, 204);
});

test('a statement that finds a spill full detaches the backend, as a write does', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const proxy = await startProxy(t, tightConfig([a.url, b.url]));
  await drained(proxy);
  await b.down();
  const pad = 'x'.repeat(200);
  const text = (index: number) => `DELETE FROM m WHERE t = '${index}${pad}'`;
  for (let deletions = 0; !isDetached(await proxy.meta()); deletions++) {
    const answer = await ask(proxy.url, 'metrics', text(deletions));
    assert.equal(answer.status, 200, answer.text);
    assert.ok(deletions * pad.length < MAX_SPILL_BYTES);
  }
  assert.equal((await proxy.meta()).backends['b']?.detached?.reason, 'its spill is full');
});
