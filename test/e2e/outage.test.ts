import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { Load } from './load.ts';
import { DB, drained, empty, isComplete, pairConfig, startPair } from './replica-pair.ts';

/** A server that is well may take longer on a slow machine; nobody waits so long for one that is not. */
const PROMPT_MS = 10_000;
const PATIENT = { spillAfter: 2 * PROMPT_MS, timeout: 3 * PROMPT_MS };

test('outages', async (t) => {
  const [a, b] = await startPair(t);
  const pair = [a.url, b.url] as const;

  await t.test('a killed replica misses nothing, across a restart of the proxy (D3)', async (t) => {
    const proxy = await startProxy(t, pairConfig(pair, PATIENT));
    const load = new Load(t, proxy);
    await load.more(50);

    await b.kill();
    await load.more(100);
    assert.ok(load.slowestMs < PROMPT_MS, `a write took ${load.slowestMs} ms`);
    assert.deepEqual(load.failures, [], 'an outage of one replica is nothing that clients see');
    const { backends } = await proxy.meta();
    assert.equal(backends['a']?.state, 'complete');
    assert.equal(backends['b']?.state, 'catching up');
    assert.notEqual(backends['b'].backlog.points, 0);

    assert.equal(await proxy.stop(), 0);
    await proxy.start();
    assert.equal((await proxy.meta()).backends['b']?.state, 'catching up');
    await load.more(100);

    await b.start();
    await proxy.waitFor((meta) => isComplete(meta, 'b'), { deadlineMs: 60_000 });
    await load.more(50); // live again
    await load.stop();
    await drained(proxy);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });

  await t.test('outages in a row, of either replica and of both (D5)', async (t) => {
    await empty([a, b]);
    const proxy = await startProxy(t, pairConfig(pair));
    const load = new Load(t, proxy);
    for (const broken of [[a], [b], [a, b], [b], [a]]) {
      await load.more(30);
      await Promise.all(broken.map((influxd) => influxd.kill()));
      await load.more(30);
      await Promise.all(broken.map((influxd) => influxd.start()));
    }
    await load.stop();
    await drained(proxy);
    assert.deepEqual(load.failures, []);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });

  await t.test(
    'with every replica down from the start, writes are taken and delivered later (W14)',
    async (t) => {
      await empty([a, b]);
      await Promise.all([a.kill(), b.kill()]);
      const proxy = await startProxy(t, pairConfig(pair, PATIENT));
      const load = new Load(t, proxy);
      await load.more(50);
      assert.ok(load.slowestMs < PROMPT_MS, `a write took ${load.slowestMs} ms`);
      await load.stop();
      assert.deepEqual(load.failures, []);
      await proxy.kill();
      await Promise.all([a.start(), b.start()]);
      await proxy.start();
      await drained(proxy);
      await load.assertStored(a, 'a');
      await load.assertStored(b, 'b');
    },
  );

  await t.test('a hung replica delays nobody for long and misses nothing', async (t) => {
    await empty([a, b]);
    const config = pairConfig(pair, PATIENT);
    const hasty = { ...config.backends['b'], spillAfter: 500 };
    const proxy = await startProxy(t, { ...config, backends: { ...config.backends, b: hasty } });
    const load = new Load(t, proxy);
    for (let hangs = 0; hangs < 2; hangs++) {
      await load.more(50);
      await b.pause();
      await load.more(100);
      assert.ok(load.slowestMs < PROMPT_MS, `a write took ${load.slowestMs} ms`);
      await proxy.waitFor(({ backends }) => backends['b']?.state === 'catching up');
      b.resume();
    }
    await load.stop();
    await drained(proxy);
    assert.deepEqual(load.failures, []);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });

  await t.test('answers that get lost on a bad network lose and reorder nothing', async (t) => {
    await empty([a, b]);
    const network = await tcpProxy(t, b.port);
    const proxy = await startProxy(
      t,
      pairConfig([a.url, network.url], { timeout: 1_000, spillAfter: 500 }),
    );
    const load = new Load(t, proxy);
    await load.more(30);
    network.stall('to client');
    await load.more(100);
    network.dropConnections();
    network.flow('to client');
    await load.more(30);
    network.slow('to client', 2_000);
    await load.more(100);
    network.flow('to client');
    await load.stop();
    await drained(proxy);
    assert.deepEqual(load.failures, []);
    await load.assertStored(a, 'a');
    await load.assertStored(b, 'b');
  });
});

test('a replica that is merely slow gets every point once', async (t) => {
  const fast = await scriptedBackend(t);
  const slow = await scriptedBackend(t);
  let answer: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    answer = resolve;
  });
  slow.answer({ status: 204, when }, 204);
  const proxy = await startProxy(t, pairConfig([fast.url, slow.url], { spillAfter: 500 }));
  await drained(proxy);

  for (const line of ['m v=1 1', 'm v=2 1', 'm v=3 1']) {
    assert.equal((await proxy.request('/write?db=metrics', { body: line })).status, 204);
  }
  assert.deepEqual(
    slow.writes,
    ['m v=1 1\n'],
    'newer batches wait on disk behind the open request',
  );
  assert.equal((await proxy.meta()).backends['b']?.backlog.points, 3);
  answer();
  await drained(proxy);
  assert.equal(slow.writes.join(''), 'm v=1 1\nm v=2 1\nm v=3 1\n');
  assert.equal(fast.writes.join(''), 'm v=1 1\nm v=2 1\nm v=3 1\n');
});

test('what is spilled and larger than a server takes at a time goes in pieces', async (t) => {
  const settings = { http: { 'max-body-size': 20_000 } };
  const [a, b] = await Promise.all([startInfluxd(t, { settings }), startInfluxd(t, { settings })]);
  await Promise.all([a, b].map((influxd) => influxd.createDatabase(DB)));
  const network = await tcpProxy(t, b.port);
  const proxy = await startProxy(t, pairConfig([a.url, network.url], { gzip: false }));
  await drained(proxy);
  await network.cut();
  // The last one is too large for good.
  const lines = Array.from({ length: 2_000 }, (_, index) => `m,t=t${index} v=${index} ${index}`);
  const body = `${lines.join('\n')}\nm,t=long v="${'x'.repeat(30_000)}" 1`;
  const answer = await proxy.request('/write?db=metrics', { body });
  assert.equal(answer.status, 413, 'of the server that is there');
  await network.restore();
  await drained(proxy);
  const rows = await a.rows(DB, 'm');
  assert.equal(rows.length, 2_000);
  assert.deepEqual(await b.rows(DB, 'm'), rows);
  const meta = (await proxy.meta()).backends['b'] as { deadLetters?: number } | undefined;
  assert.equal(meta?.deadLetters, 1);
});
