import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startProxy } from '../support/proxy.ts';
import {
  type Recorded,
  type ScriptedBackend,
  scriptedBackend,
} from '../support/scripted-backend.ts';
import { drained, pairConfig } from './replica-pair.ts';

/** Its log tells when a request has been read. */
const TRACING = { writeTracing: 1, queryTracing: 1 };

/** What changed the data of a server, in order. */
function changes({ requests }: ScriptedBackend): string[] {
  return requests.map(({ path, body }) => (path === '/write' ? body.trim() : 'DELETE'));
}

test('a write during a deletion comes on the same side of it on every replica', async (t) => {
  const a = await scriptedBackend(t);
  const b = await scriptedBackend(t);
  let answer: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    answer = resolve;
  });
  a.answer(
    ({ path }: Recorded) => (path === '/write' ? { status: 204, when } : 200),
    ({ path }: Recorded) => (path === '/write' ? 204 : { status: 200, body: '{"results":[{}]}' }),
  );
  const proxy = await startProxy(t, pairConfig([a.url, b.url], { spillAfter: 5_000 }, TRACING));
  await drained(proxy);
  const write = (body: string) => proxy.request('/write?db=metrics', { body });

  const before = write('m v=1 1');
  await Promise.all([a.received(1), b.received(1)]);
  const deletion = proxy.request('/query?db=metrics&q=delete+from+m', { method: 'POST' });
  await eventually('the deletion', () => proxy.logged('query').length === 1);
  const after = write('m v=2 2');
  await eventually('the second write', () => proxy.logged('write').length === 2);
  answer();
  assert.equal((await before).status, 204);
  assert.equal((await after).status, 204);
  assert.equal((await deletion).status, 200);
  assert.deepEqual(changes(a), changes(b));
});

test('many statements may wait for a server, which may hang', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const proxy = await startProxy(t, pairConfig([a.url, b.url], {}, TRACING));
  await drained(proxy);
  b.answer('hang');
  const deletions = Array.from({ length: 50 }, () =>
    proxy.request('/query?db=metrics&q=delete+from+m', { method: 'POST' }),
  );
  await eventually('all of them', () => proxy.logged('query').length === 50);
  await b.received(1);
  b.ping = 'hang';
  for (const answer of await Promise.all(deletions)) assert.equal(answer.status, 200, answer.text);
  assert.equal((await proxy.meta()).backends['b']?.backlog.records, 50);
  assert.equal(proxy.stderr, '', 'Node.js warns there of listeners that pile up');
});
