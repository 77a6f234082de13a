import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startProxy } from '../support/proxy.ts';
import { type Recorded, scriptedBackend, type Step } from '../support/scripted-backend.ts';
import { drained, pairConfig } from './replica-pair.ts';

// What one client does must not slow or break the others.

test('queries that take long hold up neither writes nor probes', async (t) => {
  const hangs = ({ path }: Recorded): Step => (path === '/query' ? 'hang' : 204);
  const [a, b] = [await scriptedBackend(t, hangs), await scriptedBackend(t, hangs)];
  const proxy = await startProxy(t, pairConfig([a.url, b.url]));
  await drained(proxy);
  const gone = new AbortController();
  const queries = Array.from({ length: 200 }, () =>
    proxy
      .request('/query?db=metrics&q=select+*+from+m', { signal: gone.signal })
      .catch(() => undefined),
  );
  await Promise.all([a.received(100), b.received(100)]);
  const { pings } = a;

  assert.equal((await proxy.request('/write?db=metrics', { body: 'm v=1 1' })).status, 204);
  assert.deepEqual([a.writes, b.writes], [['m v=1 1\n'], ['m v=1 1\n']]);
  assert.deepEqual(proxy.logged('backend is catching up'), []);
  await proxy.waitFor(() => a.pings > pings + 1);
  gone.abort();
  await Promise.all(queries);
});

test('a form of megabytes takes memory only while its query is read', async (t) => {
  const backend = await scriptedBackend(t);
  const config = {
    backends: { a: { url: backend.url, db: 'x' } },
    keymaps: { _default_: ['a'] },
  };
  const env = { NODE_OPTIONS: '--max-old-space-size=64' };
  const proxy = await startProxy(t, config, { env });
  const junk = ' '.repeat(8_000_000);
  // Queries and databases that are pieces of a long text, and each of them another one.
  for (let at = 0; at < 40; at++) {
    const q = `SELECT v FROM measurement_${at}`;
    const params = `{"value_${at}":"the value of a parameter"}`;
    const [body, status] = [
      [`db=somebodys_database_${at}&q=${q}&junk=${junk}`, 200],
      [`db=${at}&q=${junk}${q}`, 200],
      [`db=${at}&q=${q}&params=${params}&junk=${junk}`, 200],
      [`db=somebodys_database_${at}&q=SELECT v FROM other..measurement_${at}&junk=${junk}`, 400],
    ][at % 4] as [string, number];
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const answer = await proxy.request('/query', { method: 'POST', headers, body });
    assert.equal(answer.status, status, answer.text);
  }
});

test('a body of nothing but errors costs little and holds up nobody', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const env = { NODE_OPTIONS: '--max-old-space-size=128' };
  const config = pairConfig([a.url, b.url]);
  const proxy = await startProxy(t, { ...config, keymaps: { known: ['a', 'b'] } }, { env });
  const cases = [
    { line: 'a\n', text: /^unable to parse 'a': missing fields\n[^]* 4\d{6} more lines$/ },
    { line: 'm v=1\n', text: /^partial write: no route for measurement "m" dropped=5000000$/ },
  ];
  for (const { line, text } of cases) {
    let slowestMs = 0;
    const body = gzipSync(line.repeat(5_000_000), { level: 1 });
    const headers = { 'Content-Encoding': 'gzip' };
    const isDone = new AbortController();
    const startedAt = performance.now();
    const write = proxy.request('/write?db=metrics', { body, headers }).finally(() => {
      isDone.abort();
    });
    while (!isDone.signal.aborted) {
      const start = performance.now();
      await proxy.request('/ping');
      slowestMs = Math.max(slowestMs, performance.now() - start);
    }
    const answer = await write;
    const tookMs = performance.now() - startedAt;
    assert.equal(answer.status, 400);
    assert.match((JSON.parse(answer.text) as { error: string }).error, text);
    assert.ok(answer.body.length < 200_000, `${answer.body.length} bytes`);
    // A tenth of the whole where the processor is ours alone.
    const most = Math.max(1_000, tookMs / 2);
    assert.ok(slowestMs < most, `a ping took ${slowestMs} ms, the write ${tookMs} ms`);
  }
});

test('timestamps from the proxy may make a request too large', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const sizes = { maxBodySize: 100_000, maxInflatedSize: 100_000 };
  const proxy = await startProxy(t, pairConfig([a.url, b.url], {}, sizes));
  const write = async (body: string) => (await proxy.request('/write?db=metrics', { body })).status;
  assert.equal(await write('m v=1 1\n'.repeat(12_000)), 204);
  assert.equal(await write('m v=1\n'.repeat(12_000)), 413);
});

test('a policy name that no server would read is refused here', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const proxy = await startProxy(t, pairConfig([a.url, b.url]));
  await drained(proxy);
  const write = (rp: string) => proxy.request(`/write?db=metrics&rp=${rp}`, { body: 'm v=1 1' });
  const answer = await write('x'.repeat(100_000));
  assert.equal(answer.status, 400);
  assert.equal(answer.text, '{"error":"retention policy name is longer than 1024 bytes"}\n');
  assert.deepEqual(proxy.logged('backend is catching up'), []);
  assert.equal((await write('x'.repeat(1024))).status, 204);
});

test('a hung backend holds up no write to routes without it (W9)', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t, 'hang')];
  const pair = pairConfig([a.url, b.url], { spillAfter: 20_000, timeout: 30_000 });
  const proxy = await startProxy(t, { ...pair, keymaps: { free: ['a'], held: ['a', 'b'] } });
  await drained(proxy);
  const answered: string[] = [];
  const write = async (name: string, index: number): Promise<void> => {
    const { status } = await proxy.request('/write?db=metrics', { body: `${name} v=1 ${index}` });
    answered.push(`${name} ${status}`);
  };
  const held = Array.from({ length: 50 }, (_, index) => write('held', index));
  await b.received(1);
  for (let index = 0; index < 50; index++) await write('free', index);
  assert.deepEqual(answered, Array(50).fill('free 204'));
  await b.down();
  await Promise.all(held);
  assert.deepEqual(answered.slice(50), Array(50).fill('held 204'));
});
