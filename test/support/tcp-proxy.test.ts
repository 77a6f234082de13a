import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { httpRequest } from './http-client.ts';
import { scriptedBackend } from './scripted-backend.ts';
import { tcpProxy } from './tcp-proxy.ts';

test('what a stalled direction held back passes when it flows again', async (t) => {
  const backend = await scriptedBackend(t);
  const proxy = await tcpProxy(t, backend.port);

  proxy.stall('to client');
  const late = httpRequest(`${proxy.url}/write`, { body: 'm v=1' });
  await backend.received(1); // the other direction flows
  const first = await Promise.race([late, new Promise((resolve) => setTimeout(resolve, 50))]);
  assert.equal(first, undefined);
  proxy.flow('to client');
  assert.equal((await late).status, 204);
});

test('a slow direction takes its time', async (t) => {
  const backend = await scriptedBackend(t);
  const proxy = await tcpProxy(t, backend.port);
  proxy.slow('to server', 10_000);
  const start = performance.now();
  await httpRequest(`${proxy.url}/write`, { body: 'x'.repeat(2_000) });
  assert.ok(performance.now() - start > 190);
  assert.equal(backend.requests[0]?.body.length, 2_000);
});

test('cut breaks connections and refuses new ones until restored', async (t) => {
  const backend = await scriptedBackend(t, 'hang');
  const proxy = await tcpProxy(t, backend.port);
  const hanging = assert.rejects(httpRequest(`${proxy.url}/write`, { body: 'x' }), {
    code: 'ECONNRESET',
  });
  await backend.received(1);
  assert.equal(proxy.connections, 1);
  await proxy.cut();
  await hanging;
  await assert.rejects(httpRequest(`${proxy.url}/ping`), { code: 'ECONNREFUSED' });
  await proxy.restore();
  assert.equal((await httpRequest(`${proxy.url}/ping`)).status, 204);
});

test('a server that is not there is a broken connection', async (t) => {
  const backend = await scriptedBackend(t);
  const proxy = await tcpProxy(t, backend.port);
  await backend.down();
  await assert.rejects(httpRequest(`${proxy.url}/ping`), { code: 'ECONNRESET' });
});
