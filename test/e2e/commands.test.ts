import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type CliResult, runCli } from '../support/cli.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { DB, drained, isComplete, pairConfig, startPair } from './replica-pair.ts';

type Json = Readonly<Record<string, unknown>>;

/** Of every regular file in the data directory: looking must not change one of them. */
async function hashes(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const pairs = files.map(async (entry): Promise<[string, string]> => {
    const file = path.join(entry.parentPath, entry.name);
    return [
      file,
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    ];
  });
  return new Map((await Promise.all(pairs)).sort());
}

function commandsOf(proxy: ProxyProcess): {
  run: (...args: string[]) => Promise<CliResult>;
  json: (...args: string[]) => Promise<Json[]>;
} {
  const run = (...args: string[]): Promise<CliResult> =>
    runCli(`--config=${proxy.configPath}`, ...args);
  return {
    run,
    /** Its lines; of a list, the objects in it. */
    json: async (...args) => {
      const { code, stdout, stderr } = await run(...args, '--json');
      assert.deepEqual([code, stderr], [0, ''], args.join(' '));
      const lines = stdout.split('\n').slice(0, -1);
      return lines.flatMap((line): Json[] => [JSON.parse(line) as Json | Json[]].flat());
    },
  };
}

async function write(proxy: ProxyProcess, ...lines: string[]): Promise<void> {
  const answer = await proxy.request('/write?db=metrics', { body: lines.join('\n') });
  assert.equal(answer.status, 204, answer.text);
}

test('an operator looks at what a server missed, and discards it', async (t) => {
  const [a, b] = await startPair(t);
  const proxy = await startProxy(t, pairConfig([a.url, b.url]));
  const { run, json } = commandsOf(proxy);
  await drained(proxy);
  await b.stop();
  await write(proxy, 'cpu,host=é v=1 1', 'cpu v=2,s="two\nlines" 2');
  await write(proxy, 'mem v=3 3');
  const before = await hashes(proxy.dataDir);
  assert.ok(before.size > 0);

  const none = { records: 0, points: 0, bytes: 0, files: 0, fileBytes: 0, damagedFiles: 0 };
  const [onA, { bytes, fileBytes, ...onB } = {}] = await json('spill', 'list');
  assert.deepEqual(onA, { backend: 'a', ...none });
  assert.deepEqual(onB, { backend: 'b', records: 2, points: 3, files: 1, damagedFiles: 0 });
  assert.equal(bytes, (await proxy.meta()).backends['b']?.backlog.bytes);
  assert.ok(Number(fileBytes) > Number(bytes));

  const [first, second, ...more] = await json('spill', 'show', 'b');
  const target = { kind: 'batch', db: DB, rp: '', precision: 'ns' };
  const lines = ['cpu,host=é v=1 1', 'cpu v=2,s="two\nlines" 2'];
  assert.deepEqual({ ...first, bytes: 0 }, { sequence: 1, ...target, points: 2, bytes: 0, lines });
  assert.deepEqual([second?.['sequence'], second?.['lines'], more], [2, ['mem v=3 3'], []]);
  assert.deepEqual(await json('spill', 'show', 'b', '--limit', '1'), [first]);
  assert.deepEqual(await json('spill', 'show', 'a'), []);

  const list = await run('spill', 'list');
  assert.match(list.stdout, /^backend {2}records {2}points .*\na .*\nb {14}2 {7}3 /);
  const show = await run('spill', 'show', 'b');
  assert.match(show.stdout, /^batch 1 {2}db stored {2}rp \(default\) {2}precision ns {2}2 points/);
  assert.match(show.stdout, /\n {2}cpu,host=é v=1 1\n {2}cpu v=2,s="two\\nlines" 2\nbatch 2 /);
  assert.equal((await run('spill', 'show', 'a')).stdout, 'the spill of a is empty\n');
  assert.deepEqual(await hashes(proxy.dataDir), before, 'looking changes nothing');

  await t.test('not while the proxy runs, not by mistake', async () => {
    const refused = await run('spill', 'discard', 'b', '--yes');
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    const reason = `another process uses the data directory ${proxy.dataDir}`;
    const hint = 'stop the proxy first; nothing was discarded';
    assert.equal(refused.stderr, `influx-proxy: ${reason}: ${hint}\n`);

    const unsure = await run('spill', 'discard', 'b');
    assert.equal(unsure.code, 1);
    assert.match(unsure.stderr, /this would forget 2 records \(3 points, .*\).* --yes does it\n$/);
    const unknown = await run('spill', 'discard', 'east', '--yes');
    const text = 'influx-proxy: no backend is named "east"; there are: a, b\n';
    assert.deepEqual([unknown.code, unknown.stderr], [1, text]);
    assert.deepEqual(await hashes(proxy.dataDir), before);
  });

  await t.test('with the proxy stopped it is gone for good', async () => {
    await proxy.stop();
    assert.equal((await json('spill', 'list'))[1]?.['points'], 3);
    const { code, stdout } = await run('spill', 'discard', 'b', '--yes');
    assert.equal(code, 0);
    assert.match(stdout, /^discarded 2 records \(3 points, \d+ bytes\) from the spill of b\n/);
    assert.match(stdout, /\nb is detached now, .* run "backend reattach b"\n$/);
    assert.deepEqual((await json('spill', 'list'))[1], { backend: 'b', ...none });
    const again = { records: 0, points: 0, bytes: 0 };
    for (const backend of ['a', 'b']) {
      const [nothing] = await json('spill', 'discard', backend, '--yes');
      assert.deepEqual(nothing, { backend, discarded: again, detached: false });
    }
  });

  await t.test('a server that has a hole for that is detached until it was copied to', async () => {
    await Promise.all([b.start(), proxy.start()]);
    await proxy.waitFor((meta) => meta.backends['b']?.up === true, { what: 'b up' });
    const { state, detached } = (await proxy.meta()).backends['b'] ?? {};
    assert.deepEqual([state, detached?.missedPoints], ['detached', 3]);
    assert.equal(detached?.reason, 'its backlog was discarded');
    await write(proxy, 'cpu v=4 4');
    assert.equal((await a.rows(DB, 'cpu')).length, 3);
    assert.equal((await b.rows(DB, 'cpu')).length, 0);
    await proxy.stop();
    assert.equal((await run('backend', 'reattach', 'b')).code, 0);
    await proxy.start();
    await drained(proxy);
    await write(proxy, 'cpu v=5 5');
    assert.equal((await b.rows(DB, 'cpu')).length, 1);
  });
});

test('an operator has refused points tried again', async (t) => {
  const [a, b] = await startPair(t);
  const proxy = await startProxy(t, pairConfig([a.url, b.url]));
  const { run, json } = commandsOf(proxy);
  await drained(proxy);
  await b.write(DB, 'cpu v="text" 1');
  await b.stop();
  await write(proxy, 'cpu v=1 2', 'mem v=1 2', 'cpu v=2 3');
  await b.start();
  await proxy.waitFor((meta) => isComplete(meta, 'b'), { what: 'the replay of what b takes' });
  assert.equal((await b.rows(DB, 'mem')).length, 1);

  const before = await hashes(proxy.dataDir);
  const [onA, onB] = await json('dead-letter', 'list');
  assert.deepEqual(onA, { backend: 'a', entries: 0, oldest: null, newest: null, bytes: 0 });
  assert.equal(onB?.['entries'], 2);
  const shown = await json('dead-letter', 'show', 'b');
  assert.deepEqual(
    shown.map(({ db, rp, precision, line }) => [db, rp, precision, line]),
    [
      [DB, '', 'ns', 'cpu v=1 2'],
      [DB, '', 'ns', 'cpu v=2 3'],
    ],
  );
  assert.match(String(shown[0]?.['error']), /field type conflict/);
  assert.deepEqual([onB['oldest'], onB['newest']], [shown[0]?.['time'], shown[1]?.['time']]);
  const text = await run('dead-letter', 'show', 'b', '--limit', '1');
  assert.match(text.stdout, /^\S+Z {2}db stored .*\n {2}.*type conflict.*\n {2}cpu v=1 2\n$/);
  assert.deepEqual(await hashes(proxy.dataDir), before, 'looking changes nothing');

  await t.test('what is refused again stays, with the new words', async () => {
    const again = await run('dead-letter', 'retry', 'b');
    assert.deepEqual(
      [again.code, again.stdout, again.stderr],
      [1, 'stored 0 points on b\nrefused again and kept: 2\n', ''],
    );
    const kept = await json('dead-letter', 'show', 'b');
    assert.deepEqual(
      kept.map(({ line }) => line),
      ['cpu v=1 2', 'cpu v=2 3'],
    );
    assert.ok(String(kept[0]?.['time']) > String(shown[0]?.['time']));
  });

  await t.test('a server that does not answer costs nothing', async () => {
    await b.stop();
    const down = await run('dead-letter', 'retry', 'b', '--json');
    assert.deepEqual([down.code, down.stderr], [1, '']);
    const counts = {
      stored: 0,
      expired: 0,
      refused: 0,
      unsent: 2,
      unreadable: 0,
      failure: 'ECONNREFUSED',
    };
    assert.deepEqual(JSON.parse(down.stdout), { backend: 'b', ...counts });
    assert.equal((await json('dead-letter', 'show', 'b')).length, 2);
    await b.start();
    await drained(proxy);
  });

  await t.test('once the conflict is gone they are stored, and the file is empty', async () => {
    await b.query(DB, 'DROP MEASUREMENT cpu');
    const [done] = await json('dead-letter', 'retry', 'b');
    assert.deepEqual([done?.['stored'], done?.['refused']], [2, 0]);
    assert.deepEqual(await b.rows(DB, 'cpu'), await a.rows(DB, 'cpu'));
    assert.equal((await json('dead-letter', 'list'))[1]?.['entries'], 0);
    assert.deepEqual(await readdir(path.join(proxy.dataDir, 'dead-letter')), []);
    assert.equal((await run('dead-letter', 'retry', 'b')).stdout, 'stored 0 points on b\n');
  });

  await t.test('discarded ones are gone, the next ones are kept', async () => {
    await b.write(DB, 'disk v="text" 1');
    await proxy.request('/write?db=metrics', { body: 'disk v=1 2' });
    const unsure = await run('dead-letter', 'discard', 'b');
    const text = 'influx-proxy: this would forget 1 dead letter of b; --yes does it\n';
    assert.deepEqual([unsure.code, unsure.stderr], [1, text]);
    assert.deepEqual(await json('dead-letter', 'discard', 'b', '--yes'), [
      { backend: 'b', discarded: 1 },
    ]);
    await proxy.request('/write?db=metrics', { body: 'disk v=1 3' });
    const [left, ...more] = await json('dead-letter', 'show', 'b');
    assert.deepEqual([left?.['line'], more], ['disk v=1 3', []]);
  });
});

test('commands explain themselves, and say what is wrong', async (t) => {
  const help = await runCli('dead-letter', '--help');
  assert.equal(help.code, 0);
  for (const name of ['list', 'show', 'retry', 'discard']) assert.match(help.stdout, RegExp(name));
  assert.match((await runCli('spill', 'show', '--help')).stdout, /--limit <n>/);
  assert.equal((await runCli('spill', 'list')).code, 1);

  const [a, b] = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  const proxy = await startProxy(t, pairConfig([a, b]));
  const { run } = commandsOf(proxy);
  await proxy.configure(pairConfig([a, b], {}, { dataDir: '/nowhere/at/all' }));
  const lost = await run('dead-letter', 'list');
  const text = 'influx-proxy: cannot read the data directory /nowhere/at/all: it does not exist\n';
  assert.deepEqual([lost.code, lost.stderr], [1, text]);
  const limit = await run('spill', 'show', 'a', '--limit', 'all');
  assert.equal(limit.code, 1);
});
