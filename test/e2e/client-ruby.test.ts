import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startForClients } from './client-setup.ts';

// The InfluxDB client for Ruby, through the proxy and on a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { assertSameOutput } = await startForClients(cleanup);

/** Runs a script that has a `client` and fills `out`, which it prints. */
function ruby(script: string): Promise<string> {
  const head = `
    require 'influxdb'
    require 'json'
    options = { host: '127.0.0.1', port: ARGV[0].to_i, username: 'root', password: 'root', retry: 0 }
    client = InfluxDB::Client.new 'metrics', **options
    out = {}
    def failure
      yield
    rescue InfluxDB::Error => error
      "#{error.class}: #{error.message}"
    end
  `;
  return assertSameOutput('/usr/bin/ruby', ['-e', `${head}${script}puts JSON.generate(out)`]);
}

test('it writes and reads, plain, chunked and with parameters', async () => {
  const told = await ruby(`
    out[:version] = client.version
    out[:created] = client.create_database('metrics').code
    points = [
      { series: 'ruby', tags: { host: 'a b', dc: 'x=y' }, timestamp: 1,
        values: { v: 1.5, n: 2**53 + 1, s: "say \\"hi\\"\\n", ok: true } },
      { series: 'ruby', tags: { host: 'c,d' }, timestamp: 2_000_000_000, values: { v: 2.0 } },
    ]
    out[:written] = client.write_points(points, 'ns').code
    client.write_points((0...1000).map { |i| { series: 'ruby many', values: { v: i }, timestamp: i } }, 'ms')
    client.write_point('ruby', { tags: { host: 'e' }, values: { v: 3.0 }, timestamp: 3 }, 's')
    out[:rows] = client.query('SELECT * FROM ruby', epoch: 'ns')
    out[:text] = client.query('SELECT v FROM ruby')
    out[:raw] = client.query('SELECT v FROM ruby GROUP BY host', denormalize: false)
    out[:bound] = client.query('SELECT n FROM ruby WHERE host = %{h}', params: { h: 'a b' })
    out[:chunked] = client.query('SELECT v FROM "ruby many"', chunk_size: 300, epoch: 'ms')
    client.query('SELECT count(v) FROM "ruby many"') { |name, tags, points| out[:yielded] = [name, tags, points] }
    basic = InfluxDB::Client.new 'metrics', **options.merge(auth_method: 'basic_auth')
    out[:basic] = basic.query('SELECT v FROM ruby LIMIT 1')
    out[:none] = client.query('SELECT v FROM nothing')
    out[:nofunction] = failure { client.query('SELECT nonsense(v) FROM ruby') }
    out[:malformed] = failure { client.query('SELEC') }
    out[:unknown] = failure { client.query('SELECT v FROM ruby', database: 'nope') }
    out[:badline] = failure { client.write('ruby v=', nil) }
    out[:baddb] = failure { client.write('ruby v=1', nil, nil, 'nope') }
    out[:badpolicy] = failure { client.write('ruby v=1', nil, 'nope') }
    client.delete_series('ruby', where: "host = 'e'")
    out[:left] = client.query('SELECT v FROM ruby', denormalize: false)
    client.delete_series('ruby')
    out[:gone] = client.query('SELECT v FROM ruby')
  `);
  assert.ok(told.includes('9007199254740993,"ok":true,"s":"say \\"hi\\"\\n"'), told);
  assert.ok(told.includes('"count":1000'), told);
  assert.ok(
    told.includes('"malformed":"InfluxDB::Error: {\\"error\\":\\"error parsing query: found SELEC'),
    told,
  );
  assert.ok(told.includes('"gone":[]'), told);
});

test('it lists what is there, whichever server holds it, and drops it', async () => {
  const told = await ruby(`
    client.write_points([
      { series: 'weather', tags: { host: 'a' }, values: { v: 1.0, wet: true }, timestamp: 1 },
      { series: 'traffic', tags: { host: 'b' }, values: { cars: 2 }, timestamp: 2 },
      { series: 'both', tags: { place: 'x' }, values: { s: 'text' }, timestamp: 3 },
    ])
    out[:databases] = client.list_databases
    out[:measurements] = client.list_measurements
    out[:series] = client.list_series
    out[:fields] = client.show_field_keys
    out[:policies] = client.list_retention_policies('metrics')
    out[:batch] = client.batch do |b|
      b.add 'SELECT * FROM weather'
      b.add 'SELECT * FROM traffic'
      b.add 'SELECT * FROM nothing'
      b.add 'SELECT v, cars FROM weather, traffic'
    end.execute
    client.create_retention_policy('week', 'metrics', '7d', 1)
    client.alter_retention_policy('week', 'metrics', '14d', 1)
    out[:altered] = client.list_retention_policies('metrics')
    client.write_point('weather', { values: { v: 5.0 } }, nil, 'week')
    out[:week] = client.query('SELECT count(v) FROM week.weather')
    client.delete_retention_policy('week', 'metrics')
    out[:dropped] = client.list_retention_policies('metrics')
    client.delete_measurement('weather')
    client.delete_series('traffic', where: "host = 'b'")
    out[:left] = client.list_measurements
  `);
  const { databases, measurements, left, altered } = JSON.parse(told) as Record<string, unknown[]>;
  assert.deepEqual(databases, [{ name: 'metrics' }]);
  assert.deepEqual(measurements, ['both', 'ruby many', 'traffic', 'weather']);
  assert.equal(altered?.length, 2);
  assert.deepEqual(left, ['both', 'ruby many']);
});
