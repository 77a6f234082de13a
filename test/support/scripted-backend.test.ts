import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { httpRequest } from './http-client.ts';
import { rawExchange } from './raw-exchange.ts';
import { scriptedBackend } from './scripted-backend.ts';

test('a script answers one step a request and records what came', async (t) => {
  const backend = await scriptedBackend(
    t,
    { status: 503, headers: { 'Retry-After': '7' }, body: '{"error":"later"}' },
    'reset',
    (request) => ({ status: 200, body: request.body }),
    204,
  );
  const write = (): ReturnType<typeof httpRequest> =>
    httpRequest(`${backend.url}/write?db=a`, { body: 'm v=1', gzip: true });

  const refused = await write();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers['retry-after'], '7');
  assert.equal(refused.text, '{"error":"later"}');
  await assert.rejects(write(), { code: 'ECONNRESET' });
  assert.equal((await write()).text, 'm v=1');
  assert.equal((await write()).status, 204);
  assert.equal((await write()).status, 204);

  assert.equal((await backend.received(5)).length, 5);
  assert.deepEqual(backend.writes, Array(5).fill('m v=1'));
  assert.equal(backend.requests[0]?.query.get('db'), 'a');
});

test('without a script it is well, and pings are not recorded', async (t) => {
  const backend = await scriptedBackend(t);
  assert.equal((await httpRequest(`${backend.url}/ping`)).headers['x-influxdb-version'], '1.8.10');
  assert.equal((await httpRequest(`${backend.url}/write?db=a`, { body: 'm v=1' })).status, 204);
  assert.equal((await httpRequest(`${backend.url}/query?q=x`)).status, 200);
  assert.equal(backend.pings, 1);
  assert.equal(backend.requests.length, 2);
});

test('an answer waits for its promise, and can break in the middle', async (t) => {
  let release = (): void => undefined;
  const when = new Promise<void>((resolve) => {
    release = resolve;
  });
  const backend = await scriptedBackend(
    t,
    { status: 200, body: 'late', when },
    { status: 200, body: 'half', then: 'reset' },
    'hang',
  );
  const late = httpRequest(`${backend.url}/query`);
  await backend.received(1);
  release();
  assert.equal((await late).text, 'late');
  await assert.rejects(httpRequest(`${backend.url}/query`), { code: 'ECONNRESET' });
  await assert.rejects(httpRequest(`${backend.url}/query`, { timeoutMs: 50 }), {
    name: 'AbortError',
  });
});

test('down refuses connections, up listens on the same port again', async (t) => {
  const backend = await scriptedBackend(t);
  const { url } = backend;
  await backend.down();
  await assert.rejects(httpRequest(`${url}/ping`), { code: 'ECONNREFUSED' });
  await backend.up();
  assert.equal(backend.url, url);
  assert.equal((await httpRequest(`${url}/ping`)).status, 204);
});

test('bytes go out and come back as they are', async (t) => {
  const backend = await scriptedBackend(t, { raw: 'HTTP/1.1 200 OK\r\nbroken' });
  const request = 'POST /write HTTP/1.0\r\nContent-Length: 1\r\n\r\nx';
  assert.equal(await rawExchange(backend.url, request), 'HTTP/1.1 200 OK\r\nbroken');
  assert.deepEqual(backend.writes, ['x']);
});

test('a body goes in chunks, or after 100 Continue', async (t) => {
  const backend = await scriptedBackend(t);
  const url = `${backend.url}/write`;
  await httpRequest(url, { body: ['a', Buffer.from('b')] });
  assert.equal(backend.requests[0]?.headers['transfer-encoding'], 'chunked');
  assert.equal(backend.requests[0].body, 'ab');

  const answer = await httpRequest(url, { headers: { Expect: '100-continue' }, body: 'c' });
  assert.deepEqual([answer.status, answer.continued], [204, true]);
  assert.equal(backend.requests[1]?.body, 'c');
});
