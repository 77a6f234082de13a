import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { httpRequest, type HttpRequest } from '../support/http-client.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { ask, shownWhole } from './query-client.ts';

// What a client sees of HTTP itself, next to what the real server shows it.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const influxd = await startInfluxd(cleanup);
await influxd.createDatabase('db');
await influxd.write('db', ['m,h=a v=1 1']);
const proxy = await startProxy(cleanup, {
  proxy: { db: 'db', idleTimeout: 77 },
  backends: { a: { url: influxd.url, db: 'db' } },
  keymaps: { _default_: ['a'] },
});
await proxy.waitFor(({ backends }) => backends['a']?.up === true);

const Q = `q=${encodeURIComponent('SELECT * FROM m')}`;
const ID = { 'X-Request-Id': 'id' };

test('status, headers and body are those of influxd, on every path and with every method', async () => {
  const check = async (
    target: string,
    status: number,
    options: HttpRequest = {},
  ): Promise<void> => {
    const request = { ...options, headers: { ...ID, ...options.headers } };
    const [own, direct] = await Promise.all([
      proxy.request(target, request),
      httpRequest(`${influxd.url}${target}`, request),
    ]);
    const what = `${options.method ?? ''} ${target}`;
    assert.equal(own.status, status, what);
    // influxd has no id where it has no route.
    const ids =
      status === 404 || status === 405 ? { 'x-request-id': 'id', 'request-id': 'id' } : {};
    assert.deepEqual(shownWhole(own), { ...shownWhole(direct), ...ids }, what);
    assert.equal(own.headers['x-influx-proxy-version'], '0.1.0', what);
    assert.ok(own.headers['content-type'] !== undefined || own.text === '', what);
  };
  const origin = { headers: { Origin: 'http://grafana.example' } };

  await check('/ping', 204);
  await check('/ping', 204, { method: 'HEAD' });
  await check('/ping', 204, origin);
  await check('/ping?wait_for_leader=1s&verbose=true', 204);
  await check('/ping', 204, { method: 'GET', body: 'x' });
  for (const method of ['OPTIONS', 'POST', 'DELETE']) await check('/ping', 405, { method });
  await check('/ping', 405, { method: 'OPTIONS', ...origin });

  await check(`/query?db=db&${Q}`, 200);
  await check(`/query?db=db&${Q}`, 200, origin);
  await check(`/query?db=db&${Q}`, 200, { method: 'POST' });
  await check('/query?db=db', 400);
  await check('/query?db=db&q=SELEC', 400, origin);
  await check(`/query?db=db&q=${encodeURIComponent("SELECT <&>'ä\n")}`, 400);

  for (const path of ['/query', '/write']) {
    await check(path, 200, { method: 'OPTIONS', ...origin });
    await check(path, 200, { method: 'OPTIONS' });
    await check(path, 200, { method: 'OPTIONS', headers: { Origin: '' } });
    await check(`${path}?db=nope`, 200, { method: 'OPTIONS', body: 'x' });
    await check(path, 405, { method: 'DELETE', ...origin });
  }
  await check('/write?db=db', 204, { method: 'POST', ...origin });
  await check('/write', 400, { method: 'POST', ...origin });
  await check('/write?db=nope', 404, { method: 'POST' });

  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) await check('/query', 405, { method });
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) await check('/write', 405, { method });
  for (const path of ['/', '/ping/', '//ping', '/PING', '/query/', '/api/v2/write', '/health']) {
    await check(path, 404);
    await check(path, 404, { method: 'POST', ...origin });
    await check(path, 404, { method: 'OPTIONS', ...origin });
  }
});

test('a path that influxd does not have takes a wrong method as its paths do', async () => {
  const headers = { Origin: 'http://x' };
  for (const method of ['OPTIONS', 'DELETE', 'POST']) {
    const refused = await proxy.request('/meta', { method, headers });
    assert.deepEqual([refused.status, refused.text], [405, 'Method Not Allowed\n'], method);
    assert.equal(refused.headers.allow, 'GET');
    assert.equal(refused.headers['access-control-allow-origin'], undefined);
  }
});

test('a request id is given back under both names, and made up where there is none', async () => {
  const check = async (headers: Record<string, string>, expected: RegExp): Promise<void> => {
    for (const path of ['/ping', '/query', '/write', '/meta', '/nowhere']) {
      const method = path === '/write' ? 'POST' : 'GET';
      const answer = await proxy.request(path, { method, headers });
      assert.match(String(answer.headers['x-request-id']), expected);
      assert.equal(answer.headers['request-id'], answer.headers['x-request-id']);
    }
  };

  await check({ 'X-Request-Id': 'a' }, /^a$/);
  await check({ 'Request-Id': 'b' }, /^b$/);
  await check({ 'X-Request-Id': 'a', 'Request-Id': 'b' }, /^a$/);
  await check({ 'X-Request-Id': '<a> "b";' }, /^<a> "b";$/);
  await check({}, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('an error that the proxy makes itself is in the words, headers and letters of InfluxDB', async () => {
  const q = 'DELETE FROM "<a>&\u2028\u0007"; SHOW STATS';
  const refused = await ask(proxy.url, 'db', q, { way: 'form' });
  assert.equal(refused.status, 400);
  assert.equal(refused.headers['content-type'], 'application/json');
  const why = 'influx-proxy refuses this query: SHOW STATS is not supported';
  assert.equal(refused.headers['x-influxdb-error'], why);
  assert.equal(refused.text, `{"error":"${why}"}\n`);

  const foreign = await ask(proxy.url, 'db', 'SELECT * FROM "<a>&\u2028\u0007\\n"..m');
  assert.ok(foreign.text.endsWith('"}\n') && !/[<>&\u2028\u0007]/.test(foreign.text), foreign.text);
  const header = String(foreign.headers['x-influxdb-error']);
  assert.match(header, /^[\x20-\x7e]+$/);
});

test('connections are kept, and requests may follow each other without waiting', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => {
    agent.destroy();
  });
  const ports = new Set<number | undefined>();
  agent.on('free', (socket: { localPort?: number }) => ports.add(socket.localPort));
  for (const path of ['/ping', `/query?db=db&${Q}`, '/query?db=db&q=SELEC', '/nowhere', '/ping']) {
    const answer = await proxy.request(path, { agent });
    assert.notEqual(answer.headers.connection, 'close', path);
    assert.equal(answer.headers['keep-alive'], 'timeout=77');
  }
  assert.equal(ports.size, 1);

  const one = (target: string, close = false): string =>
    `GET ${target} HTTP/1.1\r\nHost: x\r\n${close ? 'Connection: close\r\n' : ''}\r\n`;
  const all = one('/ping') + one(`/query?db=db&${Q}`) + one('/none') + one('/ping', true);
  const received = await rawExchange(proxy.url, all);
  const statuses = [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
  assert.deepEqual(statuses, ['204', '200', '404', '204']);
});

/** A refusal may be followed by a break of the connection, because not all of the request was read. */
function isWhole(received: string): boolean {
  return /^HTTP\/1\.1 4\d\d .*\r\n\r\n/s.test(received);
}

test('HTTP/1.0 and unusual requests are answered as by influxd', async () => {
  const check = async (bytes: string, expected: RegExp): Promise<void> => {
    for (const url of [proxy.url, influxd.url]) {
      const received = await rawExchange(url, bytes, { until: isWhole });
      assert.match(received, expected, `${url} ${bytes.slice(0, 80)}`);
    }
  };

  await check('GET /ping HTTP/1.0\r\n\r\n', /^HTTP\/1\.[01] 204 No Content\r\n/);
  const query = /^HTTP\/1\.[01] 200 OK\r\n(?!.*Transfer-Encoding).*\r\n\r\n\{"results".*\}\n$/s;
  await check(`GET /query?db=db&${Q} HTTP/1.0\r\n\r\n`, query);
  await check('GET /ping HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 Bad Request/);
  await check('nonsense\r\n\r\n', /^HTTP\/1\.1 400 Bad Request\r\n.*Connection: close\r\n/s);
  await check(
    'GET http://other/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    /^HTTP\/1\.1 204 /,
  );
  await check('GET http://x/ping?a=b HTTP/1.0\r\n\r\n', /^HTTP\/1\.[01] 204 /);
  await check('get /ping HTTP/1.1\r\nhost: x\r\nCONNECTION: Close\r\n\r\n', /^HTTP\/1\.1 40[05] /);

  const long = 'x'.repeat(900_000);
  await check(
    `GET /ping?${long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1\.1 204 /,
  );
  const tooLong = /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n.*Connection: close\r\n/s;
  await check(`GET /ping HTTP/1.1\r\nHost: x\r\nX: ${long}${long}\r\n\r\n`, tooLong);
});
