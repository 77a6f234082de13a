import { strict as assert } from 'node:assert';
import { test } from 'node:test';
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
