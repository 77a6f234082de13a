import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ERRORS, FAILING_BATCHES, NOT_MERGED } from '../fixtures/merge/errors.ts';
import { SELECTS } from '../fixtures/merge/select.ts';
import { BATCHES, CARDINALITIES, SHOWS } from '../fixtures/merge/show.ts';
import { SUBQUERIES, WILDCARDS } from '../fixtures/merge/wildcards.ts';
import { CleanupStack } from '../support/cleanup.ts';
import { bringUp, DB, leaveBehind, startCluster, takeDown } from './merge/cluster.ts';
import { assertEqualAnswers } from './merge/comparison.ts';
import { ask, shownAnswer } from './query-client.ts';

// Measurements are spread over three servers; the answers are, byte by byte, those of one server that has them all.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const cluster = await startCluster(cleanup);
const ALL = [
  ...[...SELECTS, ...WILDCARDS, ...SUBQUERIES],
  ...[...SHOWS, ...CARDINALITIES, ...BATCHES, ...ERRORS],
];

test('SELECT over several servers', () => assertEqualAnswers(cluster, SELECTS));
test('fields, tags and sources without a name', () => assertEqualAnswers(cluster, WILDCARDS));
test('sub-queries over several servers', () => assertEqualAnswers(cluster, SUBQUERIES));
test('SHOW over several servers', () => assertEqualAnswers(cluster, SHOWS));
test('cardinalities', () => assertEqualAnswers(cluster, CARDINALITIES));
test('several statements', () => assertEqualAnswers(cluster, BATCHES));
test('statements that fail', () => assertEqualAnswers(cluster, ERRORS));

test('after a statement that fails none is executed, and its own error stands', async () => {
  for (const { q, results } of FAILING_BATCHES) {
    const answer = await ask(cluster.proxy.url, DB, q);
    assert.equal(answer.text, `{"results":[${results.join(',')}]}\n`, q);
    assert.equal(answer.status, 200, q);
    const chunked = await ask(cluster.proxy.url, DB, q, { with: { chunked: 'true' } });
    const lines = results.map((result) => `{"results":[${result}]}\n`);
    assert.equal(chunked.text, lines.join(''), q);
  }
});

test('what cannot be answered exactly is refused, and why', async (t) => {
  // Or else it would hold both measurements of each pair, and could answer alone.
  await takeDown(cluster, 'a');
  t.after(() => bringUp(cluster, 'a'));
  for (const { q, status = 400, reason } of NOT_MERGED) {
    const answer = await ask(cluster.proxy.url, DB, q);
    assert.equal(answer.status, status, `${q}: ${answer.text}`);
    const { error, results } = JSON.parse(answer.text) as {
      error?: string;
      results?: { error?: string }[];
    };
    const said = status === 400 ? error : results?.[0]?.error;
    assert.match(said ?? answer.text, reason, q);
    assert.equal(answer.text.includes('"series"'), false, q);
  }
});

test('a server without a shard of the time that is read', async (t) => {
  // b then answers for cpu, and has nothing as late as extreme.
  await takeDown(cluster, 'a');
  t.after(() => bringUp(cluster, 'a'));
  await assertEqualAnswers(cluster, [
    'SELECT * FROM extreme, cpu WHERE time > 10000d',
    'SELECT f FROM extreme, cpu WHERE time > 10000d GROUP BY *',
    'SELECT f FROM extreme, cpu WHERE time > 10000d GROUP BY /o/',
    'SELECT max(*) FROM extreme, cpu WHERE time > 10000d',
    "SELECT f, usage FROM extreme, cpu WHERE time > 10000d AND host = ''",
  ]);
});

test('a merged answer is JSON, compressed or not, whatever the client would rather have', async () => {
  const q = 'SELECT * FROM cpu, mem, disk';
  const plain = await ask(cluster.single.url, DB, q);
  for (const accept of ['application/csv', 'application/x-msgpack', 'text/plain', '*/*']) {
    const answer = await ask(cluster.proxy.url, DB, q, { headers: { accept } });
    assert.deepEqual(shownAnswer(answer), shownAnswer(plain), accept);
  }
  const headers = { 'accept-encoding': 'gzip' };
  const { headers: got, body } = await ask(cluster.proxy.url, DB, q, { headers });
  const isPacked = got['content-encoding'] === 'gzip';
  assert.equal((isPacked ? gunzipSync(body) : body).toString(), plain.text);
});

test('one replica stopped', async (t) => {
  assert.ok(ALL.length >= 150, `${ALL.length}`);
  // Without b no server has both cpu and mem.
  await takeDown(cluster, 'b');
  t.after(() => bringUp(cluster, 'b'));
  await assertEqualAnswers(cluster, ALL, 'one');
});

test('one replica catching up', async () => {
  await leaveBehind(cluster, 'b');
  await assertEqualAnswers(cluster, ALL, 'one');
});
