import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { ask } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// What changes data or policies reaches every server that it concerns: at once, or in its turn behind what one missed.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const [a, b, c] = await Promise.all([
  startInfluxd(cleanup),
  startInfluxd(cleanup),
  startInfluxd(cleanup),
]);
await Promise.all([a.createDatabase('one'), b.createDatabase('two'), c.createDatabase('three')]);
const road = await tcpProxy(cleanup, b.port);
const settings = { checkInterval: 100, rewriteInterval: 100, ...PATIENT };
const proxy = await startProxy(cleanup, {
  proxy: {
    db: 'metrics',
    interval: 0,
    allowStatements: [
      'drop measurement',
      'create retention policy',
      'alter retention policy',
      'drop retention policy',
    ],
  },
  backends: {
    a: { ...settings, url: a.url, db: 'one' },
    b: { ...settings, url: road.url, db: 'two' },
    c: { ...settings, url: c.url, db: 'three' },
  },
  keymaps: { cpu: ['a', 'b'], disk: ['c'], _default_: ['b', 'c'] },
});

async function whenComplete(): Promise<void> {
  await proxy.waitFor(({ backends }) =>
    Object.values(backends).every(({ up, state }) => up && state === 'complete'),
  );
}
await whenComplete();

const DONE = '{"results":[{"statement_id":0}]}\n';

async function run(q: string): Promise<void> {
  const answer = await ask(proxy.url, 'metrics', q, { way: 'form' });
  assert.equal(answer.text, DONE, q);
}

async function write(...lines: readonly string[]): Promise<void> {
  const answer = await proxy.request('/write?db=metrics', { body: lines.join('\n') });
  assert.equal(answer.status, 204, answer.text);
}

/** How many rows of the measurement are on each server. */
async function counts(measurement: string): Promise<number[]> {
  const rows = await Promise.all([
    a.rows('one', measurement),
    b.rows('two', measurement),
    c.rows('three', measurement),
  ]);
  return rows.map(({ length }) => length);
}

async function policies(): Promise<string[]> {
  const answers = await Promise.all([
    a.query('one', 'SHOW RETENTION POLICIES'),
    b.query('two', 'SHOW RETENTION POLICIES'),
    c.query('three', 'SHOW RETENTION POLICIES'),
  ]);
  return answers.map(({ results }) => {
    const rows = results?.[0]?.series?.[0]?.values ?? [];
    return rows.map(([name, duration]) => `${String(name)} ${String(duration)}`).join(', ');
  });
}

test('a deletion of several measurements, of a pattern, or of everything reaches every holder', async () => {
  const fill = (...names: readonly string[]): Promise<void> =>
    write(...names.flatMap((name) => [`${name},h=x v=1 1`, `${name},h=y v=2 2`]));

  await fill('cpu', 'disk', 'd1');
  await run("DELETE FROM cpu, disk WHERE h = 'x'");
  assert.deepEqual(
    [await counts('cpu'), await counts('disk'), await counts('d1')],
    [
      [1, 1, 0],
      [0, 0, 1],
      [0, 2, 2],
    ],
  );
  await run('DROP SERIES FROM /^d/');
  assert.deepEqual(
    [await counts('cpu'), await counts('disk'), await counts('d1')],
    [
      [1, 1, 0],
      [0, 0, 0],
      [0, 0, 0],
    ],
  );
  await fill('e1', 'e2');
  await run("DROP SERIES WHERE h = 'y'");
  assert.deepEqual(
    [await counts('cpu'), await counts('e1'), await counts('e2')],
    [
      [0, 0, 0],
      [0, 1, 1],
      [0, 1, 1],
    ],
  );
});

test('a measurement is dropped by its holders, also by one that is away', async () => {
  await write('gone v=1 1', 'gone v=2 2');
  await road.cut();
  await proxy.waitFor(({ backends }) => backends['b']?.up === false);
  await run('DROP MEASUREMENT gone');
  await write('gone v=3 3');
  assert.deepEqual(await counts('gone'), [0, 2, 1]);
  await road.restore();
  await whenComplete();
  assert.deepEqual(await counts('gone'), [0, 1, 1]);
});

test('policies change on every server, and points that need them come after', async () => {
  await road.cut();
  await proxy.waitFor(({ backends }) => backends['b']?.up === false);
  await run('CREATE RETENTION POLICY week ON metrics DURATION 7d REPLICATION 1');
  const written = await proxy.request('/write?db=metrics&rp=week', {
    body: `kept v=1 ${Date.now()}000000`,
  });
  assert.equal(written.status, 204, written.text);
  await road.restore();
  await whenComplete();
  const week = 'autogen 0s, week 168h0m0s';
  assert.deepEqual(await policies(), [week, week, week]);
  assert.equal((await b.rows('two', 'kept', 'week')).length, 1);

  await run('ALTER RETENTION POLICY week ON "metrics" DURATION 14d');
  assert.deepEqual(new Set(await policies()), new Set(['autogen 0s, week 336h0m0s']));
  await run('DROP RETENTION POLICY week ON metrics');
  assert.deepEqual(new Set(await policies()), new Set(['autogen 0s']));

  const foreign = await ask(proxy.url, 'metrics', 'DROP RETENTION POLICY autogen ON one');
  assert.equal(foreign.status, 400);
  assert.match(foreign.text, /cannot reach database/);
  const dropped = await ask(proxy.url, 'metrics', 'DROP DATABASE metrics');
  assert.equal(dropped.status, 400);
});

test('what servers tell of the database has the name that clients know', async () => {
  const show = async (q: string): Promise<string> => (await ask(proxy.url, 'metrics', q)).text;
  await b.query(
    '',
    'CREATE CONTINUOUS QUERY cq ON two BEGIN SELECT mean(v) INTO two..t FROM two..m GROUP BY time(1m) END',
  );
  const shown = await show('SHOW CONTINUOUS QUERIES');
  assert.match(
    shown,
    /"name":"metrics","columns":\["name","query"\],"values":\[\["cq","CREATE CONTINUOUS QUERY cq ON metrics BEGIN/,
  );
  assert.doesNotMatch(shown, /two|three|one/);
  await b.query('', 'DROP CONTINUOUS QUERY cq ON two');

  const plan = await show('EXPLAIN ANALYZE SELECT v FROM cpu');
  assert.match(plan, /statement: SELECT .* FROM metrics\.autogen\.cpu/);
  assert.equal(
    await show('SHOW DATABASES'),
    '{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["metrics"]]}]}]}\n',
  );
});
