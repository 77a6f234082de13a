import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { bypasses, corpus } from '../influxql/fixtures.ts';
import { CleanupStack } from '../support/cleanup.ts';
import type { HttpAnswer, HttpRequest } from '../support/http-client.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { FORM } from './query-client.ts';
import { REFUSED, WITH_PARAMS } from './refused-statements.ts';

// Beside the proxy's database its servers hold others, and users. Whatever a client sends, and however: nothing of
// them is shown, and nothing of them changes. Which requests are refused, and how, is tested elsewhere.

const cleanup = new CleanupStack();
after(() => cleanup.run());

/** Of the servers, as whom the proxy acts: it could do anything. */
const ADMIN = { username: 'admin', password: 'wachtwoord' };

/** In no request, and in everything that no client may see. */
const TOKEN = 'hunter2';

/** Each is the name of a database in some of the queries below. */
const OTHERS = [
  ...['secret', 'secretdb', 'victim', 'other', 'db0', 'db1', 'Db1', 'dB1', 'd', 'd2', 'b', 'x'],
  ...['my db', 'my.db', 'OK', 'ok ', '"ok"', `vault_${TOKEN}`],
];

async function startServer(): Promise<Influxd> {
  const server = await startInfluxd(cleanup, { admin: ADMIN });
  for (const db of [...OTHERS, 'ok']) await server.query('', `CREATE DATABASE ${quoted(db)}`);
  await server.write('ok', ['cpu,host=a usage=1,idle=2 1', 'mem v=1 1', 'm v=1 1']);
  for (const db of OTHERS) {
    await server.write(db, [
      ...['cpu', 'mem', 'm', 'secret', TOKEN].map(
        (measurement) => `${measurement},host=${TOKEN} usage=1,idle=2,v=3,note="${TOKEN}" 1`,
      ),
    ]);
  }
  const policy = `CREATE RETENTION POLICY policy_${TOKEN} ON secret DURATION INF REPLICATION 1`;
  await server.query('', policy);
  const copy = `SELECT mean(v) INTO copy_${TOKEN} FROM m GROUP BY time(1h)`;
  await server.query('', `CREATE CONTINUOUS QUERY cq_${TOKEN} ON secret BEGIN ${copy} END`);
  const destination = `ON secret.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'`;
  await server.query('', `CREATE SUBSCRIPTION sub_${TOKEN} ${destination}`);
  await server.query('', `CREATE USER keeper_${TOKEN} WITH PASSWORD 'x'`);
  return server;
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}

/** Everything that no client may change. */
async function stateOf(server: Influxd): Promise<unknown[]> {
  const state: unknown[] = [];
  const own = 'SHOW RETENTION POLICIES ON ok';
  for (const q of ['DATABASES', 'USERS', 'CONTINUOUS QUERIES', 'SUBSCRIPTIONS']) {
    state.push(await server.query('', `SHOW ${q}`));
  }
  state.push(await server.query('', own));
  for (const user of [ADMIN.username, `keeper_${TOKEN}`]) {
    state.push(await server.query('', `SHOW GRANTS FOR ${user}`));
  }
  for (const db of OTHERS) {
    state.push(await server.query('', `SHOW RETENTION POLICIES ON ${quoted(db)}`));
    state.push(await server.query(db, 'SHOW SERIES'));
    state.push(await server.query(db, 'SELECT * FROM /.*/'));
  }
  return state;
}

const servers = [await startServer(), await startServer()] as const;
const [a, b] = servers;
const proxy = await startProxy(cleanup, {
  proxy: { db: 'ok', interval: 0 },
  backends: { a: { url: a.url, db: 'ok', ...ADMIN }, b: { url: b.url, db: 'ok', ...ADMIN } },
  keymaps: { _default_: ['a', 'b'], cpu: ['a'], mem: ['b'] },
});
await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
const before = await Promise.all(servers.map(stateOf));

function assertShowsNothing(answer: Pick<HttpAnswer, 'body' | 'rawHeaders'>, what: string): void {
  const shown = `${answer.body.toString('latin1')}\n${answer.rawHeaders.join('\n')}`;
  for (const secret of [TOKEN, ADMIN.password, 'keeper_', 'vault_']) {
    assert.ok(
      !shown.includes(secret),
      `${secret} after ${what.slice(0, 300)}: ${shown.slice(0, 300)}`,
    );
  }
}

async function send(target: string, options: HttpRequest = {}): Promise<HttpAnswer> {
  const answer = await proxy.request(target, options);
  assertShowsNothing(answer, `${target} ${inspect(options.body)}`);
  return answer;
}

async function assertUnchanged(): Promise<void> {
  // A deletion in the background would still be on its way; this one takes its place behind it.
  await send('/query?db=ok&q=DELETE+FROM+last', { method: 'POST' });
  assert.deepEqual(await Promise.all(servers.map(stateOf)), before);
  assert.equal(proxy.isRunning, true);
}

/** By every way that a query can take, each with something else that changes how it is answered. */
async function sendEveryWay(q: string, params?: string): Promise<void> {
  const text = encodeURIComponent(q);
  const shared = `/query?db=ok${params === undefined ? '' : `&params=${encodeURIComponent(params)}`}`;
  const part = (disposition: string): string =>
    `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${q}\r\n--b--`;
  const multipart = { 'Content-Type': 'multipart/form-data; boundary=b' };
  const login = 'u=admin&p=admin';

  await send(`${shared}&q=${text}&pretty=true&${login}`);
  await send(`${shared}&q=${text}&chunked=true&chunk_size=1`, { method: 'POST' });
  await send(`${shared}&epoch=ms`, {
    headers: { 'Content-Type': FORM, Accept: 'application/csv' },
    body: `q=${text}`,
  });
  await send(`${shared}&rp=autogen`, {
    headers: { ...multipart, Accept: 'application/x-msgpack' },
    body: part('name="q"'),
  });
  await send(`${shared}&async=true`, {
    headers: multipart,
    body: part('name="q"; filename="q.txt"'),
  });
}

test('queries that got past the filters of other proxies, and look-alikes', async () => {
  for (const { q } of bypasses()) await sendEveryWay(q);
  await assertUnchanged();
});

test('statements that are refused, in any dress, and with parameters', async () => {
  for (const q of REFUSED) await sendEveryWay(q);
  for (const { q, params } of WITH_PARAMS) await sendEveryWay(q, params);
  await assertUnchanged();
});

test('statements of all kinds', async () => {
  for (const { q, params } of corpus()) {
    const shared = params === undefined ? {} : { params: JSON.stringify(params) };
    const body = new URLSearchParams({ q, ...shared }).toString();
    await send('/query?db=ok', { headers: { 'Content-Type': FORM }, body });
  }
  await assertUnchanged();
});

test('names of databases in every place that can have one', async () => {
  const names = ['secret', '"secret"', '"vault"', '*', '""', '"ok".."secret"', 'ok"secret"'];
  const places = [
    ...['SELECT * FROM @..cpu', 'SELECT * FROM @.autogen.cpu', 'SELECT * FROM @../.*/'],
    ...['SELECT * FROM ok..cpu, @..cpu', 'SELECT * FROM (SELECT * FROM @..cpu)'],
    ...[
      'SELECT * FROM cpu; SELECT * FROM @..cpu',
      'SELECT * FROM cpu WHERE usage > 0; DROP DATABASE @',
    ],
    ...['SELECT * INTO @..x FROM cpu', 'SELECT * INTO @.autogen.:MEASUREMENT FROM /.*/'],
    ...['SELECT mean(usage) INTO x FROM @..cpu GROUP BY *', 'EXPLAIN SELECT * FROM @..cpu'],
    ...['DELETE FROM @..cpu', 'DROP SERIES FROM @..cpu', 'DROP MEASUREMENT @..cpu'],
    ...['SHOW MEASUREMENTS ON @', 'SHOW MEASUREMENTS ON @.*', 'SHOW MEASUREMENTS ON @.autogen'],
    ...['SHOW SERIES ON @', 'SHOW SERIES FROM @..cpu', 'SHOW SERIES ON ok FROM @..cpu'],
    ...['SHOW TAG KEYS ON @', 'SHOW TAG KEYS FROM @..cpu', 'SHOW FIELD KEYS ON @'],
    ...['SHOW FIELD KEYS FROM @..cpu', 'SHOW TAG VALUES ON @ WITH KEY = host'],
    ...['SHOW TAG VALUES FROM @..cpu WITH KEY = host', 'SHOW RETENTION POLICIES ON @'],
    ...['SHOW SERIES CARDINALITY ON @', 'SHOW SERIES EXACT CARDINALITY ON @'],
    ...['SHOW MEASUREMENT CARDINALITY ON @', 'SHOW TAG KEY CARDINALITY ON @'],
    ...['SHOW FIELD KEY CARDINALITY ON @', 'SHOW TAG VALUES CARDINALITY ON @ WITH KEY = host'],
    ...['CREATE DATABASE @', 'DROP DATABASE @', 'GRANT ALL ON @ TO admin'],
    ...[
      'CREATE RETENTION POLICY p ON @ DURATION 1h REPLICATION 1',
      'DROP RETENTION POLICY autogen ON @',
    ],
    ...['ALTER RETENTION POLICY autogen ON @ DURATION 1h', 'DROP CONTINUOUS QUERY x ON @'],
  ];
  for (const place of places) {
    for (const name of names) await sendEveryWay(place.replaceAll('@', name));
    const bound = place.replaceAll('@', '$d');
    for (const value of ['secret', 'ok"..', '*']) {
      await sendEveryWay(bound, JSON.stringify({ d: { identifier: value } }));
    }
  }
  await assertUnchanged();
});

test('parameters that mean another database, or bring another query along', async () => {
  const read = `q=${encodeURIComponent('SELECT * FROM cpu')}`;
  const drop = `q=${encodeURIComponent('DROP DATABASE secret')}`;
  const evil = encodeURIComponent('&db=secret&q=SELECT * FROM cpu');
  const form = { 'Content-Type': FORM };
  const multipart = { 'Content-Type': 'multipart/form-data; boundary=b' };
  const field = (name: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

  for (const query of [
    ...[`db=secret&${read}`, `db=secret&db=ok&${read}`, `db=ok&db=secret&${read}`],
    ...[`db=ok%00secret&${read}`, `db=ok%22..%22secret&${read}`, `db=%22secret%22&${read}`],
    ...[`db=OK&${read}`, `db=ok+&${read}`, `db=&${read}`, read, `DB=ok&%64b=secret&${read}`],
    ...[`db=ok&rp=secret%22.%22autogen&${read}`, `db=ok&rp=%22..secret..%22&${read}`],
    ...['rp', 'epoch', 'chunk_size', 'params', 'node_id', 'time_format', 'pretty', 'chunked'].map(
      (name) => `db=ok&${read}&${name}=${evil}`,
    ),
    ...[`db=ok&${read}&${drop}`, `db=ok&${drop}&${read}`, `db=ok&q=%zz&${drop}`],
    ...[`db=ok&${read};${drop}`, `db=ok;db=secret&${read}`, `db=ok&%71=${drop.slice(2)}`],
    ...[`db=ok&${read}&consistency=all&precision=ns&u=admin&p=${ADMIN.password}`],
  ]) {
    await send(`/query?${query}`);
    await send(`/query?${query}`, { method: 'POST' });
    await send('/query?db=ok', { headers: form, body: query });
    await send(`/query?${query}`, { headers: form, body: 'db=secret' });
    await send(`/query?${query}`, { headers: form, body: drop });
    await send(`/query?${query}`, { headers: multipart, body: `${field('db', 'secret')}--b--` });
  }
  const smuggled = `${field('q', 'SELECT * FROM cpu')}${field('q', 'DROP DATABASE secret')}--b--`;
  await send('/query?db=ok', { headers: multipart, body: smuggled });
  await send('/query', { headers: multipart, body: `${field('db', 'secret')}${smuggled}` });
  await assertUnchanged();
});

test('writes to another database, or with a query inside', async () => {
  const body = 'intruder v=1 1';
  for (const query of [
    ...['db=secret', 'db=secret&db=ok', 'db=OK', 'db=ok+', 'db=%22ok%22', 'db=', ''],
    ...['db=ok&rp=..secret', 'db=ok&rp=%26db%3Dsecret', 'db=ok&precision=ns%26db%3Dsecret'],
    ...['db=ok&consistency=all%26db%3Dsecret', 'db=ok&rp=autogen%23', 'db=ok&rp=a%0d%0aX:%20y'],
    ...['db=ok&q=DROP+DATABASE+secret', 'bucket=secret/autogen', 'db=ok%26db=secret'],
  ]) {
    await send(`/write?${query}`, { body });
    await send(`/write?${query}`, { headers: { 'Content-Type': FORM }, body: `db=secret&${body}` });
    await send(`/api/v2/write?${query}`, { body });
  }
  await assertUnchanged();
});

test('paths, methods and headers that other servers obey', async () => {
  const drop = `db=ok&q=${encodeURIComponent('DROP DATABASE secret')}`;
  for (const path of [
    ...['/query/', '//query', '/QUERY', '/ping/../query', '/%71uery', '/query%00', '/./query'],
    ...['/api/v2/query', '/api/v1/prom/read', '/debug/vars', '/debug/requests', '/metrics', '/'],
  ]) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
      await send(`${path}?${drop}`, { method });
  }
  for (const headers of [
    { 'X-HTTP-Method-Override': 'DELETE' },
    { 'X-Original-URL': '/query?q=DROP+DATABASE+secret', 'X-Rewrite-URL': '/query' },
    { Authorization: `Basic ${Buffer.from('admin:wachtwoord').toString('base64')}` },
    { Authorization: 'Bearer x', Cookie: 'u=admin', 'X-Influxdb-Db': 'secret', Host: 'secret' },
  ] as const) {
    await send('/query?db=secret&q=SELECT+*+FROM+cpu', { headers: { ...headers } });
    await send(`/query?${drop}`, { headers: { ...headers } });
  }
  await assertUnchanged();
});

test('requests within requests', async () => {
  const inner = `GET /query?db=secret&q=SELECT+*+FROM+cpu HTTP/1.1\r\nHost: x\r\n\r\n`;
  const check = async (bytes: string): Promise<void> => {
    const received = await rawExchange(proxy.url, bytes, { halfClose: true });
    assertShowsNothing({ body: Buffer.from(received, 'latin1'), rawHeaders: [] }, bytes);
  };
  const post = 'POST /write?db=ok HTTP/1.1\r\nHost: x\r\n';
  const close = 'Connection: close\r\n';

  await check(
    `${post}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n${close}\r\n0\r\n\r\n${inner}`,
  );
  await check(`${post}Content-Length: 5\r\nContent-Length: 0\r\n${close}\r\n${inner}`);
  await check(`${post}Transfer-Encoding: identity, chunked\r\n${close}\r\n0\r\n\r\n${inner}`);
  await check(`${post}Transfer-Encoding : chunked\r\n${close}\r\n0\r\n\r\n${inner}`);
  await check(`${post}Content-Length: ${inner.length}\r\n${close}\r\n${inner}`);
  await check(
    `GET ${a.url}/query?db=secret&q=SHOW+MEASUREMENTS HTTP/1.1\r\nHost: x\r\n${close}\r\n`,
  );
  await check(`CONNECT 127.0.0.1:${a.port} HTTP/1.1\r\nHost: x\r\n\r\n${inner}`);
  await check(
    `GET /query?db=ok&q=SELECT+1 HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n${inner}`,
  );
  await assertUnchanged();
});
