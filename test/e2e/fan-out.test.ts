import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { startInfluxd } from '../support/influxd.ts';
import { type ProxyConfig, startProxy } from '../support/proxy.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { ask, shownAnswer } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// Queries about what no server holds alone: answered as one server with everything would, also while servers fail.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const [a, b, c, single] = await Promise.all([
  startInfluxd(cleanup),
  startInfluxd(cleanup),
  startInfluxd(cleanup),
  startInfluxd(cleanup),
]);
const NAMES = { a: 'first', b: "b's db", c: 'metrics' } as const;
const servers = { a, b, c };
for (const [name, server] of Object.entries(servers)) {
  await server.createDatabase(NAMES[name as keyof typeof NAMES]);
}
await single.createDatabase('metrics');
const road = await tcpProxy(cleanup, b.port);

type Settings = Readonly<Record<string, unknown>>;

function config(more: Settings = {}, keymaps: ProxyConfig['keymaps'] = {}): ProxyConfig {
  const settings = { checkInterval: 100, rewriteInterval: 200, ...PATIENT };
  return {
    proxy: { db: 'metrics', interval: 0, ...more },
    backends: {
      a: { ...settings, url: a.url, db: NAMES.a },
      b: { ...settings, url: road.url, db: NAMES.b },
      c: { ...settings, url: c.url, db: NAMES.c },
    },
    keymaps: {
      cpu: ['a', 'b'],
      mem: ['b', 'c'],
      disk: ['c'],
      typed: ['c'],
      _default_: ['a', 'c'],
      ...keymaps,
    },
  };
}
const proxy = await startProxy(cleanup, config());
/** Of the same servers; one measurement is on b alone. */
const brittle = await startProxy(cleanup, config({}, { alone: ['b'] }));

async function whenComplete(): Promise<void> {
  for (const one of [proxy, brittle]) {
    await one.waitFor(({ backends }) =>
      Object.values(backends).every(({ up, state }) => up && state === 'complete'),
    );
  }
}
await whenComplete();

const LINES = [
  'cpu,host=a,dc=x usage=1,n=9007199254740993i 1000000000',
  'cpu,host=b usage=3 2000000000',
  'mem,host=a used=5i,note="<\\"é\\">" 1000000000',
  'disk,path=/ free=1e21 3000000000',
  'disk,path=/x free=2 4000000000',
  'other v=1 1',
];
for (const write of [
  single.write('metrics', LINES),
  proxy.request('/write?db=metrics', { body: LINES.join('\n') }),
]) {
  await write;
}
// Copies of what these servers do not own: left from another keymap, and wrong by now.
await a.write(NAMES.a, ['disk,path=old,old=1 free=9,gone=1i 5000000000', 'mem old=1 1']);
await b.write(NAMES.b, ['disk,path=older free=8 6000000000', 'other v=9 9', 'nobody v=1 1']);
await c.write(NAMES.c, ['cpu,host=old usage="text" 7000000000']);

const QUERIES = [
  'SELECT usage, free FROM cpu, disk',
  'SELECT * FROM cpu, mem, disk',
  'SELECT * FROM /.*/ GROUP BY * ORDER BY time DESC',
  'SELECT mean(*) FROM cpu, disk WHERE time < 5s GROUP BY time(1s) fill(0) LIMIT 2',
  'SELECT max(m) FROM (SELECT mean(usage) AS m FROM cpu GROUP BY host), (SELECT free AS m FROM disk)',
  'SELECT sum(n) / sum(free) FROM cpu, disk WHERE time < 5s GROUP BY time(1s) fill(3)',
  'SHOW MEASUREMENTS LIMIT 2 OFFSET 1',
  'SHOW SERIES',
  'SHOW TAG KEYS',
  'SHOW TAG VALUES WITH KEY IN (host, path)',
  'SHOW FIELD KEYS FROM /./',
  'SHOW SERIES CARDINALITY',
  'SHOW MEASUREMENT EXACT CARDINALITY',
  'SHOW RETENTION POLICIES',
  'SELECT usage FROM cpu; SELECT free FROM disk; SHOW MEASUREMENTS',
  'SHOW DATABASES;SELECT * FROM cpu, disk;',
  'SELECT nonsense(usage) FROM cpu, disk',
];

const WAYS = [
  {},
  { chunked: 'true', chunk_size: '1' },
  { chunked: 'true', epoch: 'ns' },
  { pretty: 'true' },
];

async function assertAllSame(what: string): Promise<void> {
  for (const q of QUERIES) {
    for (const more of WAYS) {
      const own = await ask(proxy.url, 'metrics', q, { with: more });
      const direct = await ask(single.url, 'metrics', q, { with: more });
      assert.deepEqual(
        shownAnswer(own),
        shownAnswer(direct),
        `${what}: ${q} ${JSON.stringify(more)}`,
      );
    }
  }
}

function backendsOf(answer: { readonly headers: Record<string, unknown> }): unknown {
  return answer.headers['x-influx-proxy-backend'];
}

test('several servers answer as one that holds everything', async () => {
  await assertAllSame('all up');
  const answer = await ask(proxy.url, 'metrics', 'SELECT usage, free FROM cpu, disk');
  assert.match(String(backendsOf(answer)), /^[ab], c$/);
  const alone = await ask(proxy.url, 'metrics', 'SELECT usage FROM cpu, mem');
  assert.equal(backendsOf(alone), 'b');
});

test('they do so while one of them is away, and while it is catching up', async () => {
  await road.cut();
  await proxy.waitFor(({ backends }) => backends['b']?.up === false);
  await assertAllSame('b is down');

  const late = ['cpu,host=late usage=7 8000000000', 'mem,host=late used=7i 8000000000'];
  await single.write('metrics', late);
  const written = await proxy.request('/write?db=metrics', { body: late.join('\n') });
  assert.equal(written.status, 204, written.text);
  road.stall('to client');
  await road.restore();
  await proxy.waitFor(({ backends }) => backends['b']?.state === 'catching up');
  await assertAllSame('b is catching up');
  road.flow('to client');
  await whenComplete();
  await assertAllSame('all up again');
});

test('a measurement that no server can answer for is an error of the statement, never a gap', async () => {
  await road.cut();
  await brittle.waitFor(({ backends }) => backends['b']?.up === false);
  for (const q of ['SHOW MEASUREMENTS', 'SELECT v FROM /./', 'SELECT free FROM alone, disk']) {
    const answer = await ask(brittle.url, 'metrics', q);
    assert.equal(answer.status, 200);
    assert.match(
      answer.text,
      /^\{"results":\[\{"statement_id":0,"error":"no replica can answer the query: b: .+"\}\]\}\n$/,
    );
  }
  const q = 'SELECT free FROM disk;SHOW SERIES;SHOW DATABASES';
  const batch = await ask(brittle.url, 'metrics', q);
  const { results } = JSON.parse(batch.text) as { results: Record<string, unknown>[] };
  assert.deepEqual(
    results.map((result) => Object.keys(result)),
    [
      ['statement_id', 'series'],
      ['statement_id', 'error'],
      ['statement_id', 'error'],
    ],
  );
  assert.equal(results[2]?.['error'], 'not executed');
  await road.restore();
  await whenComplete();
});

test('a server whose database is missing is not believed', async () => {
  await b.query('', `DROP DATABASE "${NAMES.b}"`);
  await assertAllSame('b has lost its database');
  for (const headers of [
    { accept: 'application/csv' },
    { accept: 'application/x-msgpack' },
    { 'accept-encoding': 'gzip' },
  ]) {
    for (let times = 0; times < 4; times++) {
      const own = await ask(proxy.url, 'metrics', 'SELECT * FROM cpu', { headers });
      assert.equal(backendsOf(own), 'a', JSON.stringify(headers));
    }
  }
  const lost = await ask(brittle.url, 'metrics', 'SELECT * FROM alone');
  assert.equal(lost.status, 503);
  assert.match(lost.text, /b: database not found: b's db/);
  await b.createDatabase(NAMES.b);
  await b.write(NAMES.b, [...LINES.filter((line) => /^(cpu|mem)/.test(line))]);
  await b.write(NAMES.b, ['cpu,host=late usage=7 8000000000', 'mem,host=late used=7i 8000000000']);
  await assertAllSame('b has it again');
});

test('what cannot be merged exactly is refused with the reason', async () => {
  const check = async (q: string, status: number, reason: RegExp): Promise<void> => {
    const answer = await ask(proxy.url, 'metrics', q);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, reason, q);
  };

  await check('EXPLAIN SELECT * FROM cpu, disk', 400, /each server has its own plan/);
  // Whether a function takes a column depends on what the sub-query makes of its field.
  const untold =
    /"error":"influx-proxy cannot tell .* whether sum\(\) takes \\"x\\": name the fields/;
  await check('SELECT sum(*) FROM (SELECT last(free) AS x FROM disk), cpu', 200, untold);
});

test('a batch is answered as InfluxDB 1.11 does', async () => {
  const q =
    'SELECT free FROM disk WHERE time < 1s; SELECT nope(v) FROM disk; SHOW DATABASES; SHOW TAG KEYS';
  const failed =
    '{"statement_id":1,"error":"undefined function nope()"},' +
    '{"statement_id":2,"error":"not executed"},{"statement_id":3,"error":"not executed"}';
  const whole = await ask(proxy.url, 'metrics', q);
  assert.equal(whole.text, `{"results":[{"statement_id":0},${failed}]}\n`);
  const chunked = await ask(proxy.url, 'metrics', q, { with: { chunked: 'true' } });
  const documents = ['{"statement_id":0}', ...failed.split(/(?<=\}),/)];
  assert.equal(chunked.text, documents.map((result) => `{"results":[${result}]}\n`).join(''));

  // Statements that change data take their turn.
  const changing =
    'SELECT v FROM other; DELETE FROM other; SELECT v FROM other; CREATE DATABASE metrics';
  const changed = await ask(proxy.url, 'metrics', changing, { way: 'POST' });
  const { results } = JSON.parse(changed.text) as { results: Record<string, unknown>[] };
  assert.deepEqual(
    results.map((result) => 'series' in result),
    [true, false, false, false],
  );
  assert.equal(changed.text.includes('error'), false, changed.text);
  assert.deepEqual(await a.rows(NAMES.a, 'other'), []);
});

test('a text that the servers refuse is refused with their words', async () => {
  const q = 'SHOW TAG KEYS WITH KEY = host';
  const own = await ask(proxy.url, 'metrics', q);
  const direct = await ask(single.url, 'metrics', q);
  assert.deepEqual(shownAnswer(own), shownAnswer(direct));
  const batch = await ask(proxy.url, 'metrics', `SHOW DATABASES; ${q}`);
  assert.equal(batch.status, 200);
  assert.match(batch.text, /"statement_id":1,"error":"error parsing query: found WITH/);
});

test('merging stops at proxy.maxMergeBytes, and gives the memory back', async () => {
  const small = await startProxy(cleanup, config({ maxMergeBytes: 2000 }));
  await small.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  const rows = Array.from({ length: 500 }, (_, index) => `cpu,host=h${index} usage=1 ${index}`);
  await small.request('/write?db=metrics', { body: rows.join('\n') });
  for (let times = 0; times < 3; times++) {
    const answer = await ask(small.url, 'metrics', 'SHOW SERIES');
    assert.match(answer.text, /takes more memory than proxy\.maxMergeBytes \(2000\)/);
    const little = await ask(small.url, 'metrics', 'SHOW TAG KEYS');
    assert.ok(little.text.includes('"path"'), little.text);
  }
});

test('a client that goes away ends the queries on all servers', async () => {
  const rows = (name: string): string[] =>
    Array.from({ length: 20_000 }, (_, index) => `${name},h=${index % 50} usage=${index} ${index}`);
  for (const name of ['cpu', 'disk']) {
    const body = rows(name).join('\n');
    assert.equal((await proxy.request('/write?db=metrics', { body })).status, 204);
  }
  const client = new AbortController();
  const many = Array.from({ length: 50 }, () => 'SELECT * FROM cpu, disk GROUP BY *').join(';');
  const broken = ask(proxy.url, 'metrics', many, { way: 'form', signal: client.signal });
  const running = async (): Promise<number> => {
    const { results } = await c.query('', 'SHOW QUERIES');
    return (results?.[0]?.series?.[0]?.values?.length ?? 1) - 1;
  };
  await eventually('the query on c', async () => (await running()) > 0, { intervalMs: 1 });
  client.abort();
  await assert.rejects(broken, { name: 'AbortError' });
  await eventually('the end of the query on c', async () => (await running()) === 0);
  assert.deepEqual(proxy.logged('request failed'), []);
});
