import { strict as assert } from 'node:assert';
import { type ExecFileException, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { httpRequest } from '../support/http-client.ts';
import type { Meta } from '../support/meta.ts';
import { ProxyProcess, startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tempDir } from '../support/temp-dir.ts';

// The program as an operator starts it.

const ROOT = path.resolve(import.meta.dirname, '../../..');
const LAUNCHER = path.join(ROOT, 'bin/influx-proxy');

interface End {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, which must come by itself. */
function run(file: string, args: readonly string[], cwd?: string): Promise<End> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, timeout: 60_000 }, (error, stdout, stderr) => {
      const { code = 0, killed = false } = (error ?? {}) as Partial<ExecFileException>;
      if (killed || typeof code !== 'number') reject(new Error(`${file} did not end: ${stderr}`));
      else resolve({ code, stdout, stderr });
    });
  });
}

function influxProxy(...args: readonly string[]): Promise<End> {
  return run(process.execPath, [LAUNCHER, ...args]);
}

function nobody(): { url: string; db: string } {
  return { url: 'http://127.0.0.1:9', db: 'db' };
}

test('--version prints the version alone, --help explains each flag', async () => {
  const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  for (const flag of ['--version', '-V', '-version']) {
    assert.deepEqual(await influxProxy(flag), { code: 0, stdout: `${version}\n`, stderr: '' });
  }
  for (const flag of ['--help', '-h', '-help']) {
    const { code, stdout, stderr } = await influxProxy(flag);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Usage: influx-proxy/);
    for (const line of [
      /-c, --config <file> +\S/,
      /--log-file-path <file> +\S/,
      /-h, --help +\S/,
    ]) {
      assert.match(stdout, line);
    }
    assert.match(stdout, /-V, --version +\S/);
    assert.ok(
      stdout.split('\n').every((line) => line.length <= 80),
      stdout,
    );
  }
});

test('arguments that are missing or unknown end it with what is wrong', async () => {
  const check = async (expected: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await influxProxy(...args);
    assert.equal(code, 1, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, expected);
    assert.ok(!stderr.includes('    at '), stderr);
  };

  await check(/required option '-c, --config <file>' not specified/);
  await check(/argument missing/, '--config');
  await check(/unknown option '--nonsense'/, '--nonsense', '-c', 'x.json');
  await check(/unknown command 'x.json'|too many arguments/, 'x.json', '-c', 'x.json');
  await check(/influx-proxy: .*nowhere\.json.*\n$/, '--config=/nowhere.json');
  await check(/influx-proxy: .*nowhere\.json.*\n$/, '-config=/nowhere.json');
  await check(/influx-proxy: .*nowhere\.json.*\n$/, '-c', '/nowhere.json');
  await check(/influx-proxy: \/: /, '-c', '/');
});

test('a file that is no JSON is refused with the place of the mistake', async (t) => {
  const file = path.join(await tempDir(t), 'bad.json');
  await writeFile(file, '{\n  "proxy": {,}\n}\n');
  const { code, stderr } = await influxProxy('-c', file);
  assert.equal(code, 1);
  assert.match(stderr, /bad\.json/);
  assert.match(stderr, /2/);
});

test('all problems of a file are told at once, before a port is opened or a folder made', async (t) => {
  const folder = await tempDir(t);
  const file = path.join(folder, 'config.json');
  // A port that is taken: whoever tried to open it would complain about that instead.
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  const config = {
    proxy: { listenAddr: `127.0.0.1:${port}`, dataDir: path.join(folder, 'data'), typo: 1 },
    backends: { a: { url: 'ftp://x', db: 'db', timeout: -1 }, b: { db: 7 } },
    keymaps: { cpu: ['a', 'nobody'], mem: [] },
  };
  await writeFile(file, JSON.stringify(config));
  const { code, stdout, stderr } = await influxProxy('-c', file);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  for (const place of [
    'proxy.typo',
    'backends.a.url',
    'backends.a.timeout',
    'backends.b.url',
    'backends.b.db',
    'keymaps.cpu[1]',
    'keymaps.mem',
  ]) {
    assert.ok(
      lines.some((line) => line.includes(`${place}: `)),
      `${place} in\n${stderr}`,
    );
  }
  assert.ok(!stderr.includes('cannot listen'), stderr);
  assert.equal(existsSync(path.join(folder, 'data')), false);
});

test('what the machine refuses is one clear line, not a stack', async (t) => {
  const folder = await tempDir(t);
  const backend = await scriptedBackend(t);
  const running = await startProxy(t, {
    backends: { a: { url: backend.url, db: 'db' } },
    keymaps: { _default_: ['a'] },
  });
  const check = async (proxy: object, expected: RegExp, ...args: string[]): Promise<void> => {
    const file = path.join(folder, 'config.json');
    const config = {
      proxy: { listenAddr: '127.0.0.1:0', dataDir: path.join(folder, 'data'), ...proxy },
      backends: { a: nobody() },
      keymaps: {},
    };
    await writeFile(file, JSON.stringify(config));
    const { code, stderr } = await influxProxy('-c', file, ...args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, expected);
    assert.ok(!stderr.includes('    at '), stderr);
  };

  const taken = `127.0.0.1:${running.port}`;
  await check({ listenAddr: taken }, /^influx-proxy: cannot listen on .*EADDRINUSE.*\n$/);
  await check(
    { listenAddr: '192.0.2.1:80' },
    /^influx-proxy: cannot listen on 192\.0\.2\.1:80: .*\n$/,
  );
  await check({ dataDir: running.dataDir }, /^influx-proxy: .*data.*\n$/);
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  await check({ dataDir: file }, /^influx-proxy: EEXIST: .*file'\n$/);
  await check({ dataDir: path.join(file, 'data') }, /^influx-proxy: ENOTDIR: .*data'\n$/);
  await check({}, /^influx-proxy: EISDIR: .*\n$/, `--log-file-path=${folder}`);
  await check({}, /^influx-proxy: E[A-Z]+: .*file.*\n$/, `--log-file-path=${file}/x.log`);

  // None of them has hurt the one that was running, or keeps what it had taken.
  assert.equal((await running.request('/write?db=db', { body: 'm v=1 1' })).status, 204);
  const locked = path.join(folder, 'data');
  assert.deepEqual(await readdir(locked), ['spill']);
});

test('-c, --config= and -config= start it, from any folder', async (t) => {
  const folder = await tempDir(t);
  for (const form of [
    ['-c', '@'],
    ['--config', '@'],
    ['--config=@'],
    ['-config=@'],
    ['-config', '@'],
  ]) {
    const proxy = new ProxyProcess(folder, await freePort(), {});
    await proxy.configure({ backends: { a: nobody() }, keymaps: { _default_: ['a'] } });
    const args = form.map((part) => part.replace('@', proxy.configPath));
    // The last `--config` counts; this one comes after that of the helper.
    const other = new ProxyProcess(folder, proxy.port, { args });
    t.after(() => other.kill());
    await other.start();
    assert.equal((await other.request('/ping')).status, 204, form.join(' '));
    assert.equal(await other.stop(), 0);
  }
});

test('it starts with every backend down, takes writes, and says so', async (t) => {
  const proxy = await startProxy(t, {
    backends: { a: nobody(), b: nobody() },
    keymaps: { _default_: ['a', 'b'] },
  });
  assert.equal((await proxy.request('/write?db=db', { body: 'm v=1 1' })).status, 204);
  const query = await proxy.request('/query?db=db&q=SELECT+*+FROM+m');
  assert.equal(query.status, 503);
  const { backends } = await proxy.meta();
  for (const { up, backlog } of Object.values(backends)) {
    assert.equal(up, false);
    assert.equal(backlog.points, 1);
  }
  assert.equal(await proxy.stop(), 0);
});

test('--log-file-path appends the log to a file, which it makes with its folders', async (t) => {
  const folder = await tempDir(t);
  const file = path.join(folder, 'new/deep/proxy.log');
  for (const flag of ['--log-file-path', '-log-file-path']) {
    const proxy = await startProxy(
      t,
      { backends: { a: nobody() }, keymaps: { _default_: ['a'] } },
      { args: [`${flag}=${file}`] },
    );
    assert.equal(await proxy.stop(), 0);
    assert.deepEqual(proxy.logs, []);
    assert.deepEqual(proxy.output, []);
  }
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.equal(messages.filter((msg) => msg === 'listening').length, 2);
  assert.equal(messages.at(-1), 'stopped');
});

test("O5: the older proxy's file starts unchanged, and what it leaves out has a sensible default", async (t) => {
  const folder = await tempDir(t);
  const backend = await scriptedBackend(t);
  const port = await freePort();
  // As its README shows it, with other addresses.
  const config = {
    proxy: {
      listenAddr: `127.0.0.1:${port}`,
      db: 'test',
      zone: 'local',
      interval: 10,
      idleTimeout: 10,
      writeTracing: 0,
      queryTracing: 0,
    },
    backends: {
      local: {
        url: backend.url,
        db: 'test',
        zone: 'local',
        interval: 1000,
        timeout: 10000,
        timeoutQuery: 600000,
        maxRowLimit: 10000,
        checkInterval: 1000,
        rewriteInterval: 10000,
      },
      local2: { url: backend.url, db: 'test2', interval: 200 },
    },
    keymaps: { cpu: ['local'], temperature: ['local2'], _default_: ['local', 'local2'] },
  };
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config, undefined, 4));
  const running = spawn(process.execPath, [LAUNCHER, '-config=config.json'], { cwd: folder });
  const ended = new Promise((resolve) => running.once('close', resolve));
  t.after(async () => {
    running.kill('SIGKILL');
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  const meta = await eventually('both backends up', async () => {
    const seen = JSON.parse((await httpRequest(`${url}/meta`)).text) as Meta;
    return Object.values(seen.backends).every(({ up }) => up) && seen;
  });
  const second = { ...meta.backends['local2'] } as Record<string, unknown>;
  assert.deepEqual(
    [second['rewriteInterval'], second['checkInterval'], second['timeout'], second['timeoutQuery']],
    [10_000, 1000, 10_000, 600_000],
  );
  const body = 'cpu v=1 1\ntemperature v=1 1';
  assert.equal((await httpRequest(`${url}/write?db=test`, { body })).status, 204);
  await backend.received(2);
  const databases = backend.requests.map(({ query }) => query.get('db')).sort();
  assert.deepEqual(databases, ['test', 'test2']);
  running.kill('SIGTERM');
  assert.equal(await ended, 0);
});
