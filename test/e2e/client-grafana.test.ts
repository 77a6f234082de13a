import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startForClients } from './client-setup.ts';
import { FORM } from './query-client.ts';

// Requests as each generation of Grafana makes them, to the proxy and to a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { write, assertSameAnswer } = await startForClients(cleanup);

const START_MS = 1_700_000_000_000;
const POINTS = Array.from({ length: 20 }, (_, index) => {
  const host = index % 2 === 0 ? 'a' : 'b';
  const at = `${START_MS + index * 1000}000000`;
  return [
    `weather,host=${host},place=north\\ east v=${index},wet=true ${at}`,
    `traffic,host=${host} v=${index}.5,cars=${index}i ${at}`,
    `cpu,host=${host},cpu=cpu${index % 3} usage=${index} ${at}`,
  ];
}).flat();
await write([...POINTS, `events,tags=deploy title="v1",text="a <b>" ${START_MS}000000`]);

const RANGE = `time >= ${START_MS}ms and time <= ${START_MS + 20_000}ms`;
const AGENT = { 'User-Agent': 'Grafana/10.4.1', 'Accept-Encoding': 'gzip' };
const LOGIN = { Authorization: 'Basic Z3JhZmFuYTpzZWNyZXQ=' };

/** Since 8, and for alerts always: one statement a request, by GET or with the statement in a form. */
async function asBackend(q: string, more: Record<string, string> = {}): Promise<void> {
  const headers = { ...AGENT, ...LOGIN };
  const shared = { db: 'metrics', epoch: 'ms', ...more };
  const text = encodeURIComponent(q);
  const query = new URLSearchParams(shared).toString();
  const asked = await assertSameAnswer(`/query?${query}&q=${text}`, { headers });
  const posted = await assertSameAnswer(`/query?${query}`, {
    headers: { ...headers, 'Content-Type': FORM },
    body: `q=${text}`,
  });
  assert.equal(posted, asked);
}

/** Up to 10, as a proxy for the browser: all statements of a panel in one, and credentials in the URL. Returns the answer. */
async function asBrowser(...statements: readonly string[]): Promise<string> {
  const q = encodeURIComponent(statements.join(';'));
  const shared = 'u=grafana&p=secret&db=metrics';
  const headers = { 'User-Agent': 'Grafana/7.5.17' };
  const asked = await assertSameAnswer(`/query?${shared}&q=${q}&epoch=ms`, { headers });
  const posted = await assertSameAnswer(`/query?${shared}&epoch=ms`, {
    headers: { ...headers, 'Content-Type': FORM },
    body: `q=${q}`,
  });
  assert.equal(posted, asked);
  return asked;
}

async function everyWay(...statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    await asBackend(statement);
    await asBackend(statement, { rp: 'autogen' });
    await asBrowser(statement);
  }
}

test('Save & test, of each generation', async () => {
  await everyWay('SHOW measurements', 'SHOW TAG KEYS', 'SHOW MEASUREMENTS LIMIT 1');
});

test('the query editor', async () => {
  await everyWay(
    'SHOW RETENTION POLICIES on "metrics"',
    'SHOW MEASUREMENTS LIMIT 100',
    'SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)WEA/ LIMIT 100',
    'SHOW MEASUREMENTS WHERE "host" = \'a\' LIMIT 100',
    'SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)f/ WHERE "host" = \'b\' LIMIT 100',
    'SHOW TAG KEYS FROM "weather"',
    'SHOW TAG KEYS FROM "autogen"."traffic"',
    'SHOW TAG KEYS FROM "weather" WHERE "host" = \'a\' AND time > now() - 1h',
    'SHOW TAG VALUES FROM "weather" WITH KEY = "host"',
    'SHOW TAG VALUES FROM "autogen"."weather" WITH KEY = "place" WHERE "host" =~ /^a$/ AND time > now() - 1h',
    'SHOW TAG VALUES WITH KEY = "host"',
    'SHOW TAG VALUES WITH KEY = "host" WHERE "place" = \'north east\'',
    'SHOW FIELD KEYS FROM "weather"',
    'SHOW FIELD KEYS FROM "autogen"."traffic"',
    'SHOW FIELD KEYS',
  );
});

test('variables', async () => {
  await everyWay(
    'SHOW DATABASES',
    'show databases;',
    'SHOW MEASUREMENTS',
    'SHOW TAG VALUES FROM /.*/ WITH KEY = "host"',
    'SHOW TAG VALUES FROM weather, traffic WITH KEY IN ("host", "place")',
    'SHOW SERIES',
    'SHOW SERIES FROM "cpu" WHERE "host" = \'a\'',
    'SELECT DISTINCT("v") FROM "weather"',
    'SELECT DISTINCT("host") FROM (SELECT "usage", "host" FROM "cpu")',
  );
});

test('panels', async () => {
  await everyWay(
    `SELECT mean("v") FROM "weather" WHERE ("host" = 'a') AND ${RANGE} GROUP BY time(10s), "host" fill(null)`,
    `SELECT mean("v") FROM "autogen"."traffic" WHERE ${RANGE} GROUP BY time(5s) fill(none) ORDER BY time DESC limit 2`,
    `SELECT "usage" FROM "cpu" WHERE ("cpu"::tag =~ /^cpu[01]$/ AND "usage"::field > 3) AND ${RANGE} limit 3`,
    `SELECT sum("cars") AS "all" FROM "traffic" WHERE ${RANGE} GROUP BY time(10s), "host" fill(0) slimit 1 tz('Europe/Berlin')`,
    `SELECT derivative(mean("v"), 1s) FROM "weather" WHERE ${RANGE} GROUP BY time(2s)`,
    `SELECT max("mean") FROM (SELECT mean("v") FROM "weather" WHERE ${RANGE} GROUP BY time(5s), "host") GROUP BY "host"`,
    `SELECT percentile("v", 95), count("v") FROM /^(weather|traffic)$/ WHERE ${RANGE} GROUP BY time(10s)`,
    `SELECT "v" FROM "weather", "traffic" WHERE ${RANGE} LIMIT 2`,
    `SELECT last("v") FROM "weather" WHERE time > now() - 6h`,
    `SELECT "title", "text", "tags" FROM "events" WHERE ${RANGE}`,
  );
  // An alert of version 4
  const q = encodeURIComponent(`SELECT mean("v") FROM "weather" WHERE ${RANGE} GROUP BY time(10s)`);
  await assertSameAnswer(`/query?db=metrics&epoch=s&q=${q}`, { headers: LOGIN });
});

test('several statements of one panel, on one server and on several', async () => {
  const mean = (from: string): string =>
    `SELECT mean("v") FROM "${from}" WHERE ${RANGE} GROUP BY time(10s) fill(null)`;

  const answer = await asBrowser(
    mean('weather'),
    mean('traffic'),
    mean('nothing'),
    mean('weather'),
  );
  const { results } = JSON.parse(answer) as {
    results: { statement_id: number; series?: unknown[] }[];
  };
  assert.deepEqual(
    results.map(({ statement_id: id, series }) => [id, series?.length]),
    [
      [0, 1],
      [1, 1],
      [2, undefined],
      [3, 1],
    ],
  );
  await asBrowser(mean('weather'), '', mean('traffic'), '');
  await asBrowser('SHOW MEASUREMENTS', 'SHOW TAG KEYS', mean('cpu'));
  await asBrowser(
    'SHOW TAG VALUES FROM "weather" WITH KEY = "host"',
    'SHOW FIELD KEYS FROM "traffic"',
  );
});

test('Chronograf, Kapacitor and Home Assistant look around', async () => {
  const check = async (q: string): Promise<void> => {
    const headers = { 'Content-Type': 'application/json' };
    const target = `/query?q=${encodeURIComponent(q)}&db=metrics&rp=&epoch=ms`;
    await assertSameAnswer(target, { method: 'POST', headers });
  };

  await check('SHOW DATABASES;');
  await check('SHOW MEASUREMENTS ON "metrics"');
  await check('SHOW RETENTION POLICIES ON "metrics"');
  await check('SHOW TAG KEYS ON "metrics" FROM "weather"');
  await check('SHOW TAG VALUES ON "metrics" FROM "cpu" WITH KEY IN ("host","cpu")');
  await check('SHOW FIELD KEYS ON "metrics" FROM "traffic"');
  await check('SHOW SERIES ON "metrics" FROM "weather"');
});
