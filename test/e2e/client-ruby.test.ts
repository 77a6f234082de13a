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
