import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { after, test, type TestContext } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import type { InfluxqlAnswer } from '../support/influxql-answer.ts';
import { bringUp, DB, NAMES, startCluster, startProxyOf, takeDown } from './merge/cluster.ts';
import { assertEqualAnswers } from './merge/comparison.ts';
import { ask } from './query-client.ts';

// Answers merged from several servers, when servers or clients go away.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const cluster = await startCluster(cleanup);
const { proxy, fronts } = cluster;

/** The servers that an answer names. */
async function answeredBy(q: string): Promise<string[]> {
  const { headers, text } = await ask(proxy.url, DB, q);
  const named = headers['x-influx-proxy-backend'];
  assert.equal(typeof named, 'string', `${q}: ${text}`);
  return String(named).split(', ').sort();
}

/** Nothing of b and c: only what a holds can be answered. */
async function loseRoute(t: TestContext): Promise<void> {
  t.after(() => Promise.all([bringUp(cluster, 'b'), bringUp(cluster, 'c')]));
  await Promise.all([takeDown(cluster, 'b'), takeDown(cluster, 'c')]);
}

test('an answer names the servers that gave it', async (t) => {
  assert.equal((await answeredBy('SELECT usage FROM cpu')).length, 1);
  assert.equal((await answeredBy('SELECT usage FROM cpu, mem, disk')).length, 2);
  await takeDown(cluster, 'b');
  t.after(() => bringUp(cluster, 'b'));
  assert.deepEqual(await answeredBy('SELECT usage FROM cpu'), ['a']);
  assert.deepEqual(await answeredBy('SELECT usage FROM cpu, mem'), ['a', 'c']);
  assert.deepEqual(await answeredBy('SHOW MEASUREMENTS'), ['a', 'c']);
  assert.deepEqual(await answeredBy('SELECT usage FROM cpu; SELECT usage FROM mem'), ['a', 'c']);
});

test('a part that nobody can answer fails its statement, and no other', async (t) => {
  await loseRoute(t);
  const check = async (q: string): Promise<void> => {
    for (const chunked of ['true', 'false']) {
      const answer = await ask(proxy.url, DB, q, { with: { chunked } });
      assert.equal(answer.status, 200, `${q}: ${answer.text}`);
      const { results } = JSON.parse(answer.text) as InfluxqlAnswer;
      assert.match(results?.[0]?.error ?? answer.text, /no replica/, q);
      assert.equal(results?.[0]?.series, undefined, q);
    }
  };

  await check('SELECT usage FROM cpu, mem');
  await check('SELECT usage FROM disk, (SELECT usage FROM mem)');
  await check('SELECT usage FROM /.*/');
  await check('SELECT * FROM cpu, load');
  await check('SHOW MEASUREMENTS');
  await check('SHOW MEASUREMENTS LIMIT 1');
  await check('SHOW SERIES');
  await check('SHOW TAG KEYS');
  await check('SHOW TAG VALUES WITH KEY = host');
  await check('SHOW FIELD KEYS FROM cpu, mem');
  await check('SHOW RETENTION POLICIES');
  await check('SHOW SERIES CARDINALITY');
  await check('SHOW TAG KEY CARDINALITY');

  await assertEqualAnswers(cluster, [
    'SELECT usage FROM cpu, disk, net',
    'SELECT * FROM cpu, disk GROUP BY *',
    'SHOW TAG KEYS FROM cpu, disk',
    'SHOW SERIES FROM extreme, cpu',
    'SHOW DATABASES',
    'SELECT usage FROM cpu LIMIT 1; SHOW DATABASES; SHOW FIELD KEYS FROM disk',
  ]);
});

test('statements before the one that nobody can answer are answered', async (t) => {
  await loseRoute(t);
  const q = 'SHOW DATABASES; SELECT max(n) FROM cpu; SELECT usage FROM cpu, mem; SHOW DATABASES';
  const { text } = await ask(proxy.url, DB, q);
  const { results = [] } = JSON.parse(text) as InfluxqlAnswer;
  const lost = results[2]?.error ?? '';
  assert.match(lost, /no replica/, text);
  assert.deepEqual(
    results.map(({ statement_id: id, series, error }) => [id, series?.[0]?.name, error]),
    [
      [0, 'databases', undefined],
      [1, 'cpu', undefined],
      [2, undefined, lost],
      [3, undefined, 'not executed'],
    ],
  );
});

test('memory for merging is bounded, and given back', async (t) => {
  const tight = await startProxyOf(t, fronts, { maxMergeBytes: 2_500 });
  const check = async (q: string, expected: RegExp): Promise<void> => {
    const { status, text } = await ask(tight.url, DB, q);
    assert.equal(status, 200, `${q}: ${text}`);
    assert.match(text, expected, q);
  };
  const full = /"error":"merging .* more memory than proxy\.maxMergeBytes \(2500\)"/;

  for (let times = 0; times < 3; times++) {
    await check('SELECT * FROM cpu, mem, disk', full);
    await check('SELECT usage FROM cpu, mem, disk LIMIT 1', /"mem"/);
  }
  await check('SELECT max(n) FROM cpu; SELECT * FROM cpu, mem, disk', full);
  // One server has it all: nothing to merge.
  await check('SELECT * FROM cpu', /"note"/);
  const gone = new AbortController();
  const refused = Array.from({ length: 20 }, () =>
    ask(tight.url, DB, 'SELECT usage FROM cpu, mem, disk', { signal: gone.signal }).catch(() => 0),
  );
  gone.abort();
  await Promise.all(refused);
  await eventually('room for a query', async () =>
    (await ask(tight.url, DB, 'SELECT usage FROM cpu, mem, disk LIMIT 2')).text.includes('"mem"'),
  );
});

/** Answers to SELECT stop after their first half. */
function stallSelects(t: TestContext): void {
  const stall = (stalls: boolean): void => {
    for (const front of Object.values(fronts)) front.stallSelects(stalls);
  };
  stall(true);
  t.after(() => {
    stall(false);
  });
}

/** All that are under way on the servers. */
function openQueries(): number {
  return Object.values(fronts).reduce((sum, front) => sum + front.openQueries, 0);
}

/** A merged answer of which the first piece is there. The servers are to stall: what they have sent is enough for it. */
async function begin(q: string): Promise<IncomingMessage> {
  const parameters = new URLSearchParams({ db: DB, chunked: 'true', q });
  const request = get(`${proxy.url}/query?${parameters.toString()}`);
  request.on('error', () => undefined); // of a connection that breaks: the answer tells
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const [beginning] = (await once(answer, 'data')) as [Buffer];
  assert.match(beginning.toString(), /^\{"results":\[\{"statement_id":0,"series":\[\{"name":"cpu"/);
  // One server may answer before the other one is asked.
  await eventually('queries on two servers', () => openQueries() === 2);
  return answer;
}

test('a client that goes away ends the queries on all servers, whenever it goes', async (t) => {
  stallSelects(t);
  for (const q of ['SELECT usage FROM cpu, mem, disk', 'SELECT * FROM cpu, mem, disk']) {
    const client = new AbortController();
    const broken = ask(proxy.url, DB, q, { signal: client.signal });
    await eventually('queries on two servers', () => openQueries() >= 2);
    client.abort();
    await assert.rejects(broken, { name: 'AbortError' });
    await eventually('the end of the queries', () => openQueries() === 0);

    const answer = await begin(`${q} GROUP BY host`);
    answer.destroy();
    await eventually('the end of the queries', () => openQueries() === 0);
  }
  assert.deepEqual(proxy.logged('request failed'), []);
});

test('an answer in pieces of which a part breaks off ends with an error', async (t) => {
  stallSelects(t);
  const answer = await begin('SELECT usage FROM cpu, mem, disk GROUP BY host');
  const rest = textOf(answer);
  t.after(() => Promise.all(NAMES.map((name) => bringUp(cluster, name))));
  await Promise.all(NAMES.map((name) => fronts[name].down()));
  const last = (await rest).trimEnd().split('\n').at(-1) ?? '';
  const { results } = JSON.parse(last) as InfluxqlAnswer;
  assert.match(results?.[0]?.error ?? last, /broke off/);
});
