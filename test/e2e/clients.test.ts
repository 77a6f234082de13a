import { strict as assert } from 'node:assert';
import { execFile, spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { httpRequest } from '../support/http-client.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { rawExchange } from '../support/raw-exchange.ts';

// Programs of others, and requests as they were recorded from them, write and read through the proxy.

const run = promisify(execFile);
const cleanup = new CleanupStack();
after(() => cleanup.run());

const [a, b] = await Promise.all([startInfluxd(cleanup), startInfluxd(cleanup)]);
await Promise.all([a.createDatabase('metrics'), b.createDatabase('other name')]);
const proxy = await startProxy(cleanup, {
  proxy: { db: 'metrics' },
  backends: {
    a: { url: a.url, db: 'metrics' },
    b: { url: b.url, db: 'other name' },
  },
  keymaps: { _default_: ['a', 'b'] },
});
await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));

async function assertStored(measurement: string, points: number): Promise<void> {
  const onA = await a.rows('metrics', measurement);
  assert.equal(onA.length, points, onA.join('\n'));
  assert.deepEqual(await b.rows('other name', measurement), onA);
}

const SHELL = ['-host', '127.0.0.1', '-port', String(proxy.port), '-database', 'metrics'];

async function shell(...more: readonly string[]): Promise<string> {
  const { stdout } = await run('influx', [...SHELL, ...more], { timeout: 20_000 });
  return stdout;
}

/** What the shell prints when it reads this from its standard input, all of which it sends as one query. */
async function piped(text: string): Promise<string> {
  const process = spawn('influx', SHELL, { stdio: ['pipe', 'pipe', 'pipe'], timeout: 20_000 });
  process.stdin.end(text);
  let output = '';
  for (const stream of [process.stdout, process.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await new Promise((resolve) => process.once('close', resolve));
  return output;
}

test('the influx shell writes and reads with -execute', async () => {
  assert.equal(await shell('-execute', 'INSERT shell,host=a\\ b v=1.5,s="x \\"y\\"" 1000'), '');
  await shell('-precision', 's', '-execute', 'INSERT shell,host=c v=2 7');
  await assertStored('shell', 2);

  const csv = await shell('-format', 'csv', '-execute', 'SELECT host, v FROM shell');
  assert.equal(csv, 'name,time,host,v\nshell,1000,a b,1.5\nshell,7000000000,c,2\n');
  const json = await shell(
    '-format',
    'json',
    '-precision',
    's',
    '-execute',
    'SELECT v FROM shell WHERE v = 2',
  );
  assert.deepEqual(JSON.parse(json), {
    results: [{ series: [{ name: 'shell', columns: ['time', 'v'], values: [[7, 2]] }] }],
  });
  assert.match(await shell('-execute', 'SHOW TAG KEYS FROM shell'), /^host$/m);
  assert.match(await shell('-execute', 'SHOW FIELD KEYS FROM "shell"'), /^s +string$/m);
  assert.match(
    await shell('-execute', 'SHOW TAG VALUES FROM shell WITH KEY = host'),
    /^host +a b$/m,
  );
  assert.match(await shell('-execute', 'SHOW SERIES FROM shell'), /^shell,host=a\\ b$/m);

  const refused = await run('influx', [...SHELL, '-execute', 'DROP MEASUREMENT shell']).catch(
    (error: unknown) => error as { stdout: string; stderr: string; code: number },
  );
  const said = refused.stdout + refused.stderr;
  assert.match(said, /influx-proxy refuses this query: DROP MEASUREMENT is not supported/);
});

test('the influx shell sends what is piped into it', async () => {
  await shell('-execute', 'INSERT piped,host=a v=1 1');
  assert.match(await piped('SELECT *\nFROM piped\n'), /^1 +a +1$/m);
  assert.match(await piped('SHOW TAG KEYS FROM piped;'), /^host$/m);
  assert.match(await piped('SHOW MEASUREMENTS\n'), /SHOW MEASUREMENTS is not supported/);
  assert.match(
    await piped('INSERT x'),
    /error parsing query: found INSERT, expected SELECT, DELETE/,
  );
  await piped('DELETE FROM piped WHERE time < now()\n');
  await assertStored('piped', 0);
});

test('the influx shell connects and writes at a terminal', async () => {
  // The shell shows a prompt only to a terminal; `script` is one.
  const command = `influx ${SHELL.join(' ')} -precision ns`;
  const process = spawn('script', ['-qec', command, '/dev/null'], { timeout: 20_000 });
  let output = '';
  const shows = async (part: string): Promise<void> => {
    await eventually(part, () => output.includes(part));
  };
  process.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = new Promise((resolve) => process.once('close', resolve));
  await shows(`Connected to ${proxy.url} version 1.6.7~rc0`);
  process.stdin.write('INSERT typed,host=a v=1 1\n');
  process.stdin.write('INSERT typed,host=b v=nonsense 1\n');
  await shows("unable to parse 'typed,host=b v=nonsense 1': invalid number");
  process.stdin.write('SELECT v AS answered FROM typed\n');
  await shows('time answered');
  process.stdin.end('exit\n');
  await closed;
  await assertStored('typed', 1);
});

const PYTHON = `
import json, sys
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

client = InfluxDBClient('127.0.0.1', int(sys.argv[1]), database='metrics', gzip=sys.argv[2] == 'gzip')
name = 'python ' + sys.argv[2]
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
plain = InfluxDBClient('127.0.0.1', int(sys.argv[1]), database='metrics', headers=headers)
chunks = plain.query('SELECT v FROM "%s many"' % name, chunked=True, chunk_size=250)
out['chunked'] = sum(len(list(chunk.get_points())) for chunk in chunks)
out['post'] = len(list(client.query('SELECT v FROM ' + quoted, method='POST').get_points()))
out['bound'] = list(client.query('SELECT n FROM ' + quoted + ' WHERE host = $h',
    bind_params={'h': 'a, b'}).get_points())[0]['n']
out['keys'] = [key['tagKey'] for key in client.query('SHOW TAG KEYS FROM ' + quoted).get_points()]
try:
    client.query('SHOW DATABASES')
except InfluxDBClientError as error:
    out['refused'] = [error.code, json.loads(error.content)['error']]
try:
    client.write('x v=nonsense', {'db': 'metrics'}, protocol='line')
except InfluxDBClientError as error:
    out['invalid'] = error.code
print(json.dumps(out))
`;

test('the InfluxDB client for Python writes and reads, plain and compressed, JSON and msgpack', async () => {
  for (const mode of ['plain', 'gzip']) {
    const { stdout } = await run('/usr/bin/python3', ['-c', PYTHON, String(proxy.port), mode], {
      timeout: 20_000,
    });
    const told = JSON.parse(
      stdout.replace('9007199254740993', '"$&"').replace('9007199254740993}', '"$&"'),
    ) as Record<string, unknown>;
    assert.equal(told['version'], '1.6.7~rc0');
    assert.deepEqual([told['written'], told['batched']], [true, true]);
    assert.ok(stdout.includes('"n": 9007199254740993, "s": "say \\"hi\\"", "ok": true'), stdout);
    assert.ok(stdout.includes('"bound": 9007199254740993'), stdout);
    assert.deepEqual([told['count'], told['chunked'], told['post']], [1000, 1000, 2]);
    assert.deepEqual(told['keys'], ['dc', 'host']);
    const refusal = 'influx-proxy refuses this query: SHOW DATABASES is not supported';
    assert.deepEqual(told['refused'], [400, refusal]);
    assert.equal(told['invalid'], 400);
    await assertStored(`python ${mode}`, 2);
    await assertStored(`python ${mode} many`, 1000);
  }
});

test('Telegraf: its start and its compressed body of unknown length', async () => {
  const created = await httpRequest(`${proxy.url}/query`, {
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      'User-Agent': 'Telegraf/1.30.0 Go/1.22.0',
    },
    body: 'q=CREATE+DATABASE+%22metrics%22',
  });
  assert.equal(created.status, 200);
  assert.deepEqual(JSON.parse(created.text), { results: [{ statement_id: 0 }] });

  const lines = Array.from({ length: 500 }, (_, index) => `telegraf,host=h v=${index}i ${index}\n`);
  const body = gzipSync(lines.join(''));
  const half = Math.floor(body.length / 2);
  const written = await httpRequest(`${proxy.url}/write?db=metrics`, {
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Encoding': 'gzip',
      'User-Agent': 'Telegraf/1.30.0 Go/1.22.0',
    },
    body: [body.subarray(0, half), body.subarray(half)],
  });
  assert.equal(written.status, 204, written.text);
  assert.equal(written.text, '');
  await assertStored('telegraf', 500);
});

test('the Go client: an empty Content-Type and parameters that hold nothing', async () => {
  const headers = { 'Content-Type': '', 'User-Agent': 'InfluxDBClient' };
  const url = `${proxy.url}/write?consistency=&db=metrics&precision=ns&rp=`;
  const written = await httpRequest(url, { headers, body: 'go,host=a v=1i 1\n' });
  assert.equal(written.status, 204, written.text);
  await assertStored('go', 1);

  for (const params of ['null', '{}']) {
    const q = encodeURIComponent('SELECT v FROM go');
    const target = `/query?db=metrics&epoch=ns&params=${encodeURIComponent(params)}&q=${q}&rp=`;
    const answer = await proxy.request(target, { method: 'POST', headers, body: '' });
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.ok(answer.text.includes('"values":[[1,1]]'), answer.text);
    const chunked = await proxy.request(`${target}&chunked=true`, { method: 'POST', headers });
    assert.equal(chunked.text, answer.text);
  }
  const ping = await proxy.request('/ping?wait_for_leader=0s', { headers });
  assert.equal(ping.status, 204);
});

test('Icinga: HTTP/1.0, credentials in the URL, no last newline', async () => {
  const body = 'icinga,host=my\\ host,quote=\\"q\\" v=1.5,s="a, b" 1600000000';
  const head = [
    'POST /write?db=metrics&precision=s&u=icinga&p=secret HTTP/1.0',
    'Accept: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  const received = await rawExchange(proxy.url, `${head.join('\r\n')}\r\n\r\n${body}`);
  assert.match(received, /^HTTP\/1\.[01] 204 No Content\r\n/);
  await assertStored('icinga', 1);
});

test('Home Assistant: a lone newline is a write of nothing, and succeeds', async () => {
  for (const body of ['\n', '', '\n\n', ' \n', '# nothing\n']) {
    const answer = await proxy.request('/write?db=metrics&precision=ns', { method: 'POST', body });
    assert.equal(answer.status, 204, JSON.stringify(body));
    assert.equal(answer.headers['content-type'], 'application/json');
  }
  const unknown = await proxy.request('/write?db=nope', { method: 'POST', body: '\n' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.text, '{"error":"database not found: \\"nope\\""}\n');
});

test('Grafana: one statement by GET or form, with epoch=ms', async () => {
  await proxy.request('/write?db=metrics&precision=s', {
    body: 'grafana,host=a v=1 10\ngrafana,host=b v=3 20',
  });
  const q =
    'SELECT mean("v") FROM "autogen"."grafana" WHERE ("host" =~ /^a|b$/) AND time >= 0ms and time <= 60000ms GROUP BY time(10s), "host" fill(null) limit 2';
  const url = await proxy.request(`/query?db=metrics&epoch=ms&q=${encodeURIComponent(q)}`);
  const form = await proxy.request('/query?db=metrics&epoch=ms', {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ q }).toString(),
  });
  assert.equal(form.text, url.text);
  assert.ok(url.text.includes('"values":[[0,null],[10000,1]]'), url.text);
});
