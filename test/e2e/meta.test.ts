import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { httpRequest } from '../support/http-client.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { ask } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// What the proxy tells of itself and of its backends, and what it must not tell.

// No character that JSON escapes: it must be found in whatever holds it.
const PASSWORD = 'correct horse: battery';

test('the announced version is the lowest of the backends, whichever way they answer', async (t) => {
  const old = await scriptedBackend(t);
  const recent = await scriptedBackend(t);
  const nameless = await scriptedBackend(t);
  for (const backend of [old, recent]) backend.ping = 'reset';
  nameless.ping = { raw: 'HTTP/1.1 204 No Content\r\n\r\n' };
  old.version = '1.7.9';
  recent.version = '1.11.2';
  const settings = { db: 'db', checkInterval: 50 };
  const proxy = await startProxy(t, {
    backends: {
      old: { ...settings, url: old.url },
      recent: { ...settings, url: recent.url },
      nameless: { ...settings, url: nameless.url },
    },
    keymaps: { _default_: ['recent'] },
  });
  const announced = async (): Promise<unknown> => {
    const answers = [
      await proxy.request('/ping'),
      await proxy.request('/query'),
      await proxy.request('/write', { method: 'POST' }),
      await proxy.request('/meta'),
      await proxy.request('/nowhere'),
      await proxy.request('/write', { method: 'PUT' }),
      await proxy.request('/query', { method: 'OPTIONS' }),
      await ask(proxy.url, 'db', 'SELECT * FROM m'),
    ];
    const seen = answers.map(({ rawHeaders }) =>
      rawHeaders.filter((_, at) => rawHeaders[at - 1]?.toLowerCase() === 'x-influxdb-version'),
    );
    assert.ok(
      seen.every((versions) => versions.length === 1),
      JSON.stringify(seen),
    );
    for (const { headers } of answers) {
      assert.equal(headers['x-influxdb-build'], 'OSS');
      assert.equal(headers['x-influx-proxy-version'], '0.1.0');
      assert.ok(headers['x-request-id']);
    }
    assert.equal(new Set(seen.flat()).size, 1);
    return seen[0]?.[0];
  };

  /** InfluxDB names its version in the body too, since 1.8. */
  const assertVerbose = async (value: string, status: number, text: string): Promise<void> => {
    const answer = await proxy.request(`/ping?verbose=${value}`);
    assert.deepEqual([answer.status, answer.text], [status, text], value);
    assert.equal(answer.headers['content-type'], 'application/json');
    const head = await proxy.request(`/ping?verbose=${value}`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [status, ''], value);
    assert.equal(head.headers['content-type'], 'application/json');
  };

  await proxy.waitFor(({ backends }) => backends['nameless']?.up === true);
  assert.equal(await announced(), '1.8.10');
  await assertVerbose('true', 200, '{"version":"1.8.10"}');
  recent.ping = 204;
  await proxy.waitFor(({ backends }) => backends['recent']?.up === true);
  assert.equal(await announced(), '1.11.2');
  for (const value of ['true', '1', 'x', '%20']) {
    await assertVerbose(value, 200, '{"version":"1.11.2"}');
  }
  for (const value of ['', '0', 'false']) await assertVerbose(value, 204, '');
  old.ping = 204;
  await proxy.waitFor(({ backends }) => backends['old']?.up === true);
  assert.equal(await announced(), '1.7.9');
  await assertVerbose('true', 204, '');

  // A server that is away comes back with the version that it had.
  await old.down();
  await proxy.waitFor(({ backends }) => backends['old']?.up === false);
  assert.equal(await announced(), '1.7.9');
});

test('O1: a backend whose /ping says anything but 2xx is down', async (t) => {
  for (const status of [503, 500, 401, 404, 301]) {
    const backend = await scriptedBackend(t);
    backend.ping = status;
    const proxy = await startProxy(t, {
      backends: { a: { url: backend.url, db: 'db', checkInterval: 50 } },
      keymaps: { _default_: ['a'] },
    });
    await proxy.waitFor(() => proxy.logged('backend is down').length > 0);
    assert.equal((await proxy.meta()).backends['a']?.up, false, `${status}`);
    assert.equal((await proxy.request('/ping')).status, 204);
    backend.ping = 200;
    await proxy.waitFor(({ backends }) => backends['a']?.up === true);
    await proxy.kill();
  }
});

test('O3: one lost probe makes no server down, and one answer makes none up', async (t) => {
  const backend = await scriptedBackend(t);
  const proxy = await startProxy(t, {
    backends: { a: { url: backend.url, db: 'db', checkInterval: 20 } },
    keymaps: { _default_: ['a'] },
  });
  await proxy.waitFor(({ backends }) => backends['a']?.up === true);
  let failures = 0;
  let successes = 0;
  // Two of three probes fail: never three in a row.
  backend.ping = () => (++failures % 3 === 0 ? 204 : 503);
  await proxy.waitFor(() => failures > 15);
  assert.deepEqual(proxy.logged('backend is down'), []);

  backend.ping = 503;
  await proxy.waitFor(({ backends }) => backends['a']?.up === false);
  const ups = proxy.logged('backend is up').length;
  // Every other probe succeeds: never two in a row.
  backend.ping = () => (++successes % 2 === 0 ? 204 : 503);
  await proxy.waitFor(() => successes > 10);
  assert.equal(proxy.logged('backend is up').length, ups);
});

test('O2: a backend that wants credentials for /ping gets those of the configuration', async (t) => {
  const admin = { username: 'admin', password: 'secret' };
  const backend = await scriptedBackend(t);
  const expected = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;
  backend.ping = ({ headers }) => (headers.authorization === expected ? 204 : 401);
  const influxd = await startInfluxd(t, {
    admin,
    settings: { http: { 'ping-auth-enabled': true } },
  });
  const settings = { db: 'db', checkInterval: 50, ...PATIENT };
  const proxy = await startProxy(t, {
    backends: {
      scripted: { ...settings, url: backend.url, username: 'admin', password: PASSWORD },
      real: { ...settings, url: influxd.url, ...admin },
      wrong: { ...settings, url: backend.url },
    },
    keymaps: { _default_: ['real'] },
  });
  await influxd.createDatabase('db');
  const { backends } = await proxy.waitFor((meta) =>
    ['scripted', 'real'].every((name) => meta.backends[name]?.up === true),
  );
  assert.equal(backends['wrong']?.up, false);
  assert.equal((await proxy.request('/write?db=db', { body: 'm v=1 1' })).status, 204);
  const answer = await ask(proxy.url, 'db', 'SELECT v FROM m', { with: { epoch: 'ns' } });
  assert.ok(answer.text.includes('"values":[[1,1]]'), answer.text);
});

test('O7 O8: /meta shows each backend with its own settings, and no secret anywhere', async (t) => {
  const near = await scriptedBackend(t);
  const far = await scriptedBackend(t);
  far.answer({ status: 401, body: '{"error":"authorization failed"}\n' });
  const proxy = await startProxy(t, {
    proxy: { db: 'own', zone: 'z', interval: 0, queryTracing: 1, writeTracing: 1 },
    backends: {
      near: { url: `${near.url}/prefix/`, db: 'one', timeout: 111, zone: 'z' },
      far: { url: far.url, db: 'two', timeout: 222, username: 'user', password: PASSWORD },
    },
    keymaps: { cpu: ['far'], _default_: ['near'] },
  });
  await proxy.waitFor(({ backends }) => backends['far']?.up === true);
  const authorization = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`;
  const write = await proxy.request('/write?db=own&u=client&p=clientsecret', { body: 'cpu v=1 1' });
  assert.equal(write.status, 204, write.text);
  const query = await httpRequest(
    `${proxy.url}/query?db=own&u=client&p=clientsecret&q=${encodeURIComponent('SELECT * FROM cpu')}`,
    { headers: { Authorization: 'Basic Y2xpZW50OmNsaWVudHNlY3JldA==' } },
  );
  assert.equal(query.status, 503);
  const userQuery = "CREATE USER eve WITH PASSWORD 'evesecret'";
  const refused = await ask(proxy.url, 'own', userQuery);
  assert.equal(refused.status, 400);
  for (const { headers } of far.requests) assert.equal(headers.authorization, authorization);
  assert.ok(far.requests.length >= 2);

  const answer = await proxy.request('/meta?pretty=true');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  const meta = JSON.parse(answer.text) as Record<string, unknown> & {
    backends: Record<string, Record<string, unknown>>;
  };
  assert.deepEqual(Object.keys(meta.backends), ['near', 'far']);
  const { near: first, far: second } = meta.backends;
  assert.deepEqual([first?.['timeout'], second?.['timeout']], [111, 222]);
  assert.deepEqual([first?.['db'], second?.['db']], ['one', 'two']);
  assert.equal(second?.['state'], 'catching up');
  assert.equal((second['backlog'] as { points: number }).points, 1);
  assert.equal(first?.['state'], 'complete');
  assert.deepEqual(first['backlog'], { records: 0, points: 0, bytes: 0 });
  assert.deepEqual(meta['keymaps'], { cpu: ['far'], _default_: ['near'] });
  assert.deepEqual([meta['db'], meta['zone'], meta['port']], ['own', 'z', proxy.port]);

  const told = [answer, write, query, refused].map(({ text, rawHeaders }) => [text, rawHeaders]);
  const everything = JSON.stringify([told, proxy.logs, proxy.output, proxy.stderr]);
  const secrets = [PASSWORD, authorization.slice(6)];
  for (const secret of [...secrets, 'clientsecret', 'evesecret', 'Y2xpZW50OmNs']) {
    assert.ok(!everything.includes(secret), secret);
  }
  assert.ok(proxy.logged('query').some(({ query: text }) => String(text).includes('[REDACTED]')));
});
