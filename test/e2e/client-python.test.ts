import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { CleanupStack } from '../support/cleanup.ts';
import { startForClients } from './client-setup.ts';

// The InfluxDB client for Python, through the proxy and on a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { proxy, assertSameOutput, assertStored } = await startForClients(cleanup);

const PYTHON = `
import json, sys
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

client = InfluxDBClient('127.0.0.1', int(sys.argv[2]), database='metrics', gzip=sys.argv[1] == 'gzip')
name = 'python ' + sys.argv[1]
quoted = '"%s"' % name
out = {'version': client.ping()}
points = [
    {'measurement': name, 'tags': {'host': 'a, b', 'dc': 'x=y'}, 'time': '2020-01-01T00:00:00Z',
     'fields': {'v': 1.5, 'n': 2 ** 53 + 1, 's': 'say "hi"', 'ok': True}},
    {'measurement': name, 'tags': {'host': 'c'}, 'fields': {'v': 2.0}, 'time': 1577836801000000000},
]
out['written'] = client.write_points(points)
out['batched'] = client.write_points(
    [{'measurement': name + ' many', 'fields': {'v': i}, 'time': i} for i in range(1000)],
    time_precision='ms', batch_size=300)
out['rows'] = list(client.query('SELECT host, n, s, ok FROM ' + quoted, epoch='ns').get_points())
out['count'] = list(client.query('SELECT count(v) FROM "%s many"' % name).get_points())[0]['count']
# With msgpack this client cannot read several documents, of no server.
headers = {'Accept': 'application/json', 'Content-Type': 'application/json'}
plain = InfluxDBClient('127.0.0.1', int(sys.argv[2]), database='metrics', headers=headers)
chunks = plain.query('SELECT v FROM "%s many"' % name, chunked=True, chunk_size=250)
out['chunked'] = sum(len(list(chunk.get_points())) for chunk in chunks)
out['post'] = len(list(client.query('SELECT v FROM ' + quoted, method='POST').get_points()))
out['bound'] = list(client.query('SELECT n FROM ' + quoted + ' WHERE host = $h',
    bind_params={'h': 'a, b'}).get_points())[0]['n']
out['keys'] = [key['tagKey'] for key in client.query('SHOW TAG KEYS FROM ' + quoted).get_points()]
def failure(q):
    try:
        client.query(q)
    except InfluxDBClientError as error:
        return [error.code, str(error)]
out['nofunction'] = failure('SELECT nonsense(v) FROM ' + quoted)
out['nopolicy'] = failure('SELECT v FROM nopolicy.x')
try:
    client.write('x v=nonsense', {'db': 'metrics'}, protocol='line')
except InfluxDBClientError as error:
    out['invalid'] = error.code
print(json.dumps(out))
`;

test('it writes and reads, plain and compressed, JSON and msgpack', async () => {
  for (const mode of ['plain', 'gzip']) {
    const told = await assertSameOutput('/usr/bin/python3', ['-c', PYTHON, mode]);
    assert.ok(told.includes('"version": "1.6.7~rc0"'), told);
    assert.ok(told.includes('"n": 9007199254740993, "s": "say \\"hi\\"", "ok": true'), told);
    assert.ok(told.includes('"bound": 9007199254740993'), told);
    assert.ok(told.includes('"count": 1000, "chunked": 1000, "post": 2'), told);
    assert.ok(told.includes('"keys": ["dc", "host"]'), told);
    await assertStored(`python ${mode}`, 2);
    await assertStored(`python ${mode} many`, 1000);
  }
});

const LISTING = `
import json, sys
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

client = InfluxDBClient('127.0.0.1', int(sys.argv[1]), database='metrics')
client.create_database('metrics')
# Whole seconds: what comes as msgpack loses its nanoseconds in this client, and merged answers are JSON.
client.write_points(['weather,host=a v=1.5,wet=true 1', 'traffic,host=b cars=2i 2', 'both,place=x s="t" 3'],
    protocol='line', time_precision='s')
out = {
    'databases': client.get_list_database(),
    'measurements': client.get_list_measurements(),
    'series': client.get_list_series(),
    'some': client.get_list_series(measurement='weather', tags={'host': 'a'}),
    'policies': client.get_list_retention_policies(),
    'queries': client.get_list_continuous_queries(),
    'batch': [list(result.get_points()) for result in
        client.query('SELECT * FROM weather; SELECT * FROM traffic; SELECT * FROM nothing')],
    'several': list(client.query('SELECT * FROM weather, traffic').get_points()),
    'keys': [list(client.query(q).items()[0][1]) for q in
        ['SHOW TAG KEYS FROM both', 'SHOW FIELD KEYS FROM traffic', 'SHOW TAG VALUES FROM weather WITH KEY = host']],
}
client.create_retention_policy('week', '7d', 1)
client.alter_retention_policy('week', duration='14d')
out['altered'] = client.get_list_retention_policies()
client.drop_retention_policy('week')
client.drop_measurement('weather')
client.delete_series(measurement='traffic', tags={'host': 'b'})
out['left'] = [one['name'] for one in client.get_list_measurements()]
print(json.dumps(out))
`;

test('it lists what is there, whichever server holds it, and drops it', async () => {
  const told = await assertSameOutput('/usr/bin/python3', ['-c', LISTING]);
  const { databases, measurements, left } = JSON.parse(told) as Record<string, unknown[]>;
  assert.deepEqual(databases, [{ name: 'metrics' }]);
  const names = ['both', 'python gzip', 'python gzip many', 'python plain', 'python plain many'];
  const expected = [...names, 'traffic', 'weather'].map((name) => ({ name }));
  assert.deepEqual(measurements, expected);
  assert.deepEqual(left, names);
});

const FORBIDDEN = `
import sys
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

client = InfluxDBClient('127.0.0.1', int(sys.argv[1]), database='metrics')
for action in [lambda: client.drop_database('metrics'), lambda: client.create_database('other'),
        lambda: client.create_user('eve', 'x', admin=True), lambda: client.get_list_users()]:
    try:
        action()
        print('done')
    except InfluxDBClientError as error:
        print(error.code, error.content)
`;

test('it shows what the proxy refuses', async () => {
  const args = ['-c', FORBIDDEN, String(proxy.port)];
  const { stdout } = await promisify(execFile)('/usr/bin/python3', args, { timeout: 60_000 });
  const lines = stdout.trimEnd().split(/\n+/);
  assert.equal(lines.length, 4, stdout);
  for (const line of lines) assert.match(line, /^400 .*influx-proxy refuses this query: /);
});
