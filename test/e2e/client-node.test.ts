import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { FieldType, InfluxDB, type IPoint } from 'influx';
import { messageOf } from '../../src/core/errors.ts';
import { CleanupStack } from '../support/cleanup.ts';
import { startForClients } from './client-setup.ts';

// The InfluxDB client for Node, through the proxy and on a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { proxy, single } = await startForClients(cleanup);

/** What it tells must be the same on both; returns that. */
async function assertSame(told: (client: InfluxDB) => Promise<unknown>): Promise<string> {
  const [through, direct] = await Promise.all(
    [proxy.port, single.port].map(async (port) => {
      const client = new InfluxDB({
        ...{ host: '127.0.0.1', port, database: 'metrics', username: 'root', password: 'root' },
        schema: [
          {
            measurement: 'node',
            fields: { v: FieldType.FLOAT, n: FieldType.INTEGER, s: FieldType.STRING },
            tags: ['host'],
          },
        ],
      });
      return JSON.stringify(await told(client));
    }),
  );
  assert.equal(through, direct);
  return through ?? '';
}

/** The words of an error. */
async function failure(action: Promise<unknown>): Promise<string> {
  return action.then(() => 'no error', messageOf);
}

const POINTS: readonly IPoint[] = [
  {
    measurement: 'node',
    tags: { host: 'a b' },
    fields: { v: 1.5, n: 7, s: 'x "y"' },
    timestamp: 1,
  },
  { measurement: 'node', tags: { host: 'c,d' }, fields: { v: 2 }, timestamp: 2_000_000_000 },
];

test('it writes and reads', async () => {
  const told = await assertSame(async (client) => {
    const [pong] = await client.ping(5_000);
    await client.createDatabase('metrics');
    await client.writePoints([...POINTS], { precision: 'n' });
    await client.writeMeasurement(
      'node',
      [{ fields: { v: 3 }, tags: { host: 'e' }, timestamp: 3 }],
      {
        precision: 's',
      },
    );
    const select = 'SELECT * FROM node';
    return {
      pong: [pong?.online, pong?.version],
      rows: await client.query(select),
      times: (await client.query<{ time: { getNanoTime(): string } }>(select)).map(({ time }) =>
        time.getNanoTime(),
      ),
      groups: (await client.query('select v from node group by host')).groups(),
      exact: (await client.queryRaw(select, { precision: 'n' })) as unknown,
      bound: await client.query('SELECT v FROM node WHERE host = $host', {
        placeholders: { host: 'a b' },
      }),
      none: await client.query('SELECT v FROM nothing'),
    };
  });
  assert.ok(told.includes('"pong":[true,"1.6.7~rc0"]'), told);
  assert.ok(told.includes('"times":["0000000001","2000000000","3000000000"]'), told);
});

test('it tells the errors of the server', async () => {
  const told = await assertSame(async (client) => [
    await failure(client.query('SELEC')),
    await failure(client.query('SELECT nonsense(v) FROM node')),
    await failure(client.query('SELECT v FROM node', { database: 'nope' })),
    await failure(client.query('SELECT v FROM node', { retentionPolicy: 'nope' })),
    await failure(client.writePoints([...POINTS], { database: 'nope' })),
    await client.writePoints([{ measurement: 'typed', fields: { w: 1 } }]).then(() => 'written'),
    await failure(client.writePoints([{ measurement: 'typed', fields: { w: 'text' } }])),
    // Last, because it does not ask a server again for a while that has answered 500.
    await failure(client.writePoints([...POINTS], { retentionPolicy: 'nope' })),
  ]);
  assert.ok(told.includes('error parsing query: found SELEC'), told);
  assert.ok(!told.includes('no error'), told);
});

test('it deletes', async () => {
  const told = await assertSame(async (client) => {
    await client.dropSeries({
      measurement: (m) => m.name('node'),
      where: (e) => e.tag('host').equals.value('e'),
    });
    const left = await client.query('SELECT v FROM node');
    await client.query('DELETE FROM node');
    return [left, await client.query('SELECT v FROM node')];
  });
  assert.match(told, /^\[\[\{.+\}\],\[\]\]$/);
});

test('it lists what is there, whichever server holds it, and drops it', async () => {
  const told = await assertSame(async (client) => {
    await client.writePoints([
      { measurement: 'weather', tags: { host: 'a' }, fields: { v: 1.5 }, timestamp: 1 },
      { measurement: 'traffic', tags: { host: 'b' }, fields: { cars: 2 }, timestamp: 2 },
    ]);
    const listed = [
      await client.getDatabaseNames(),
      await client.getMeasurements(),
      await client.getSeries(),
      await client.getSeries({ measurement: 'weather' }),
      await client.showRetentionPolicies(),
      await client.showContinousQueries(),
      await client.query(['SELECT * FROM weather', 'SELECT * FROM traffic', 'SELECT * FROM x']),
    ];
    await client.createRetentionPolicy('week', { duration: '7d', replication: 1 });
    await client.alterRetentionPolicy('week', { duration: '14d', replication: 1 });
    const altered = await client.showRetentionPolicies();
    await client.dropRetentionPolicy('week');
    await client.dropMeasurement('weather');
    return { listed, altered, left: await client.getMeasurements() };
  });
  const { listed, altered, left } = JSON.parse(told) as Record<string, unknown[]>;
  assert.deepEqual(listed?.slice(0, 2), [['metrics'], ['traffic', 'typed', 'weather']]);
  assert.equal(altered?.length, 2);
  assert.deepEqual(left, ['traffic', 'typed']);
});
