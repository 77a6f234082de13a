import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startForClients } from './client-setup.ts';

// The InfluxDB client for Python, through the proxy and on a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { assertSameOutput, assertStored } = await startForClients(cleanup);

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
