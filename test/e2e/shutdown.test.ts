import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { Load } from './load.ts';
import { drained, empty, pairConfig, startPair } from './replica-pair.ts';

/** What the README promises. `stop` throws when it takes longer. */
const PROMISED_MS = 5_000;

test('SIGTERM under load', async (t) => {
  const [a, b] = await startPair(t);

  await t.test('loses nothing that was acknowledged (D2)', async (t) => {
    const proxy = await startProxy(t, pairConfig([a.url, b.url]));
    const load = new Load(t, proxy, 8);
    for (let rounds = 0; rounds < 4; rounds++) {
      await load.more(40);
      assert.equal(await proxy.stop(PROMISED_MS), 0);
      await proxy.start();
    }
    await load.stop();
    await drained(proxy);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });

  await t.test('loses nothing while a backend hangs (D15)', async (t) => {
    await empty([a, b]);
    const proxy = await startProxy(t, pairConfig([a.url, b.url], { spillAfter: 10_000 }));
    const load = new Load(t, proxy, 8);
    await load.more(40);
    await b.pause();
    await eventually('all writers wait for the backend that hangs', async () => {
      const before = load.acknowledged;
      await proxy.meta();
      return load.acknowledged === before;
    });
    assert.equal(await proxy.stop(PROMISED_MS), 0);
    b.resume();
    await proxy.start();
    await load.more(40);
    await load.stop();
    await drained(proxy);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });
});

test('ends', async (t) => {
  const backend = await scriptedBackend(t);
  const patient = pairConfig([backend.url, backend.url], { spillAfter: 9_000 });
  const proxy = await startProxy(t, { ...patient, keymaps: { _default_: ['a'] } });

  await t.test('in time when nothing is under way, whatever connections are open', async () => {
    const agent = new Agent({ keepAlive: true });
    const idle = [0, 1, 2].map(() => proxy.request('/ping', { agent }));
    assert.deepEqual(
      (await Promise.all(idle)).map(({ status }) => status),
      [204, 204, 204],
    );
    const silent = connect(proxy.port, '127.0.0.1');
    await once(silent, 'connect');
    assert.equal(await proxy.stop(PROMISED_MS), 0);
    agent.destroy();
    silent.destroy();
  });

  await t.test('on SIGINT as on SIGTERM', async () => {
    await proxy.start();
    proxy.signal('SIGINT');
    await eventually('its end', () => !proxy.isRunning, { deadlineMs: PROMISED_MS });
    assert.equal(await proxy.stop(), 0);
  });

  await t.test('with a client that never sends the rest of its body', async () => {
    await proxy.start();
    const slow = connect(proxy.port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write('POST /write?db=metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nm v=1');
    await proxy.waitFor((meta) => (meta as { inflightBytes?: number }).inflightBytes === 5);
    assert.equal(await proxy.stop(PROMISED_MS), 0);
    slow.destroy();
  });

  await t.test('with an answer for those who wait for a backend that hangs', async () => {
    await proxy.start();
    await drained(proxy);
    const before = backend.writes.length;
    backend.answer('hang');
    const waiting = proxy.request('/write?db=metrics', { body: 'm v=1 1' });
    await backend.received(before + 1);
    const code = proxy.stop(PROMISED_MS);
    assert.equal((await waiting).status, 204);
    assert.equal(await code, 0);
    backend.answer(204);
    await proxy.start();
    await drained(proxy);
    assert.deepEqual(backend.writes.slice(before), ['m v=1 1\n', 'm v=1 1\n']);
  });

  await t.test('at once on a second signal, and the point is not acknowledged', async () => {
    const before = backend.requests.length;
    backend.answer('hang');
    const waiting = proxy.request('/write?db=metrics', { body: 'm v=2 1' });
    const cut = assert.rejects(waiting, { code: 'ECONNRESET' });
    await backend.received(before + 1);
    const logged = proxy.logged('shutting down').length;
    proxy.signal('SIGTERM');
    await eventually('the first signal', () => proxy.logged('shutting down').length > logged);
    proxy.signal('SIGTERM');
    assert.equal(await proxy.stop(), 1);
    await cut;
  });
});
