import { strict as assert } from 'node:assert';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startForClients } from './client-setup.ts';

// The influx shell shows the same at the proxy and at a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { proxy, single, assertSameOutput, assertStored } = await startForClients(cleanup);

const OPTIONS = ['-host', '127.0.0.1', '-database', 'metrics'];
const SHELL = `influx ${OPTIONS.join(' ')} -precision ns -port`;

/** What a terminal shows of a session in which somebody types these lines. */
async function session(port: number, lines: readonly string[]): Promise<string> {
  // The shell prompts only at a terminal, which `script` is; a dumb one shows lines and nothing else.
  const shell = spawn('script', ['-qec', `${SHELL} ${port}`, '/dev/null'], {
    env: { ...process.env, TERM: 'dumb' },
    timeout: 60_000,
  });
  const closed = once(shell, 'close');
  let shown = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  let prompts = 0;
  const prompted = async (after: string): Promise<void> => {
    prompts += 1;
    await eventually(`a prompt after ${after}`, () => shown.split(/^> /m).length > prompts);
  };
  await prompted('the start');
  for (const line of lines) {
    shell.stdin.write(`${line}\n`);
    await prompted(line);
  }
  shell.stdin.end('exit\n');
  await closed;
  return shown.replaceAll('\r\n', '\n').replaceAll(String(port), 'PORT');
}

/** `part`: of what both show. */
async function assertSameSession(lines: readonly string[], ...parts: string[]): Promise<void> {
  const [through, direct] = await Promise.all(
    [proxy.port, single.port].map((port) => session(port, lines)),
  );
  assert.equal(through, direct);
  for (const part of parts) assert.ok(through?.includes(part), `${part}\n${through ?? ''}`);
}

test('it connects, writes and reads, in every format and precision', async () => {
  await assertSameSession(
    [
      'INSERT shell,host=a\\ b v=1.5,s="x \\"y\\"",n=9007199254740993i 1000',
      'INSERT shell,host=c v=2 7000000000',
      'INSERT INTO autogen shell,host=d v=3 8000000000',
      'SELECT * FROM shell',
      'SELECT * FROM shell WHERE n = 9007199254740993',
      'precision s',
      'SELECT v FROM shell',
      'INSERT shell,host=e v=4 9',
      'precision rfc3339',
      'SELECT v FROM shell ORDER BY time DESC LIMIT 2',
      'format csv',
      'SELECT mean(v) FROM shell GROUP BY host',
      'format json',
      'SELECT v FROM shell LIMIT 1',
      'pretty',
      'SELECT v FROM shell LIMIT 1',
      'format column',
      'chunked',
      'SELECT v FROM shell',
      'chunk size 1',
      'chunked',
      'SELECT v FROM shell',
      'consistency all',
      'settings',
    ],
    'Connected to http://127.0.0.1:PORT version 1.6.7~rc0\n',
    '1000       a b  9007199254740993 x "y" 1.5\n',
    '1970-01-01T00:00:09Z 4\n',
    'name,tags,time,mean\n',
    '"columns": [\n',
    'Pretty            true\n',
  );
  await assertStored('shell', 4);
});

test('it executes one command and ends', async () => {
  const check = async (args: readonly string[], expected: string | RegExp): Promise<void> => {
    const shown = await assertSameOutput('influx', [...OPTIONS, ...args, '-port']);
    if (typeof expected === 'string') assert.equal(shown, expected, args.join(' '));
    else assert.match(shown, expected, args.join(' '));
  };

  await check(['-execute', 'INSERT single,host=a\\ b v=1.5,s="x \\"y\\"" 1000'], '');
  await check(['-precision', 's', '-execute', 'INSERT single,host=c v=2 7'], '');
  await assertStored('single', 2);
  const csv = 'name,time,host,v\nsingle,1000,a b,1.5\nsingle,7000000000,c,2\n';
  await check(['-format', 'csv', '-execute', 'SELECT host, v FROM single'], csv);
  const json =
    '{"results":[{"series":[{"name":"single","columns":["time","v"],"values":[[7,2]]}]}]}';
  const where = 'SELECT v FROM single WHERE v = 2';
  await check(['-format', 'json', '-precision', 's', '-execute', where], `${json}\n`);
  await check(['-pretty', '-format', 'json', '-execute', where], /^ {4}"results": \[$/m);
  await check(['-execute', 'SHOW FIELD KEYS FROM "single"'], /^s +string$/m);
});

test('it sends what is piped into it as one query', async () => {
  const piped = (text: string): Promise<string> => {
    const command = `printf '%s' "$0" | influx ${OPTIONS.join(' ')} -port "$1" 2>&1; true`;
    return assertSameOutput('sh', ['-c', command, text]);
  };
  await assertSameOutput('influx', [...OPTIONS, '-execute', 'INSERT piped,host=a v=1 1', '-port']);

  assert.match(await piped('SELECT *\nFROM piped\n'), /^1 +a +1$/m);
  assert.match(await piped('SHOW TAG KEYS FROM piped;'), /^host$/m);
  assert.match(
    await piped('INSERT x'),
    /error parsing query: found INSERT, expected SELECT, DELETE/,
  );
  await piped('DELETE FROM piped WHERE time < now()\n');
  await assertStored('piped', 0);
});

test('it shows what the proxy refuses', async () => {
  const args = [...OPTIONS, '-port', String(proxy.port), '-execute', 'DROP SHARD 1'];
  const refused = await promisify(execFile)('influx', args).catch(
    (error: unknown) => error as { stdout: string; stderr: string; code: number },
  );
  const said = refused.stdout + refused.stderr;
  assert.match(said, /influx-proxy refuses this query: DROP SHARD is not supported/);
});

test('it shows keys, values and series, and deletes', async () => {
  await assertSameSession(
    [
      'INSERT doomed,host=a v=1,w="x" 1',
      'INSERT doomed,host=b v=2 2',
      'SHOW TAG KEYS FROM doomed',
      'SHOW FIELD KEYS FROM doomed',
      'SHOW TAG VALUES FROM doomed WITH KEY = host',
      'SHOW SERIES FROM doomed',
      "DROP SERIES FROM doomed WHERE host = 'a'",
      'SELECT * FROM doomed',
      'DELETE FROM doomed',
      'SELECT * FROM doomed',
      'CREATE DATABASE metrics',
    ],
    'w        string\n',
    'host b\n',
    'doomed,host=b\n',
  );
});

test('it shows the errors of the server', async () => {
  await assertSameSession(
    [
      'SELEC',
      'SELECT v FROM',
      'SELECT nonsense(v) FROM shell',
      'SELECT * FROM nopolicy.shell',
      'INSERT shell v=',
      'INSERT INTO nopolicy shell v=1',
      'INSERT shell v="text" 1',
    ],
    'ERR: error parsing query: found SELEC, expected SELECT',
    'ERR: {"error":"unable to parse \'shell v=\': missing field value"}',
    'retention policy not found: nopolicy',
  );
});

test('it imports a file', async (t) => {
  const file = path.join(await tempDir(t), 'export');
  const lines = Array.from({ length: 2000 }, (_, index) => `imported,host=h v=${index} ${index}`);
  await writeFile(
    file,
    [
      '# DDL',
      'CREATE DATABASE metrics',
      '# DML',
      '# CONTEXT-DATABASE: metrics',
      '# CONTEXT-RETENTION-POLICY: autogen',
      ...lines,
      '',
    ].join('\n'),
  );
  const script = `influx -host 127.0.0.1 -import -path ${file} -port $0 2>/dev/null`;
  await assertSameOutput('sh', ['-c', script]);
  const count = 'SELECT count(v), sum(v) FROM imported';
  await assertSameSession([count], '0    2000  1999000\n');
  await assertStored('imported', 2000);
});

test('it uses the database, and lists what is there, whichever server holds it', async () => {
  await assertSameSession(
    [
      'USE nope',
      'USE metrics',
      'USE metrics.autogen',
      'USE metrics.nope',
      'INSERT weather,host=a v=1 1',
      'INSERT traffic,host=b cars=2i 2',
      'SHOW DATABASES',
      'SHOW MEASUREMENTS',
      'SHOW MEASUREMENTS WITH MEASUREMENT =~ /^[tw]/ LIMIT 1 OFFSET 1',
      'SHOW SERIES LIMIT 3',
      'SHOW TAG KEYS',
      'SHOW FIELD KEYS',
      'SHOW TAG VALUES WITH KEY = host',
      'SHOW RETENTION POLICIES',
      'SELECT * FROM weather; SELECT * FROM traffic; SELECT * FROM nothing',
      'SELECT v, cars FROM weather, traffic',
      'SELECT * FROM /^[tw]/',
      'format csv',
      'SELECT * FROM traffic; SHOW MEASUREMENTS',
      'chunk size 1',
      'SELECT count(v) FROM shell, weather GROUP BY host',
      'CREATE RETENTION POLICY week ON metrics DURATION 7d REPLICATION 1',
      'USE metrics.week',
      'INSERT traffic,host=b cars=7i',
      'SELECT cars FROM week.traffic WHERE cars = 8',
      'DROP RETENTION POLICY week ON metrics',
      'DROP MEASUREMENT weather',
      'SHOW MEASUREMENTS',
    ],
    "ERR: Database nope doesn't exist. Run SHOW DATABASES for a list of existing databases.\n",
    'Using database metrics\nUsing retention policy autogen\n',
    "ERR: RETENTION POLICY nope doesn't exist.",
    'name: databases\nname\n----\nmetrics\n',
    'Using retention policy week\n',
  );
  assert.match(
    await assertSameOutput('influx', [...OPTIONS, '-execute', 'SHOW DATABASES', '-port']),
    /^metrics$/m,
  );
});
