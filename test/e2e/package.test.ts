import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { tempDir } from '../support/temp-dir.ts';
import { PATIENT } from './replica-pair.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../../..');

test('the package, installed by npm like any other, is a program that runs', async (t) => {
  const folder = await tempDir(t);
  // Without its scripts, which would build anew what this very test runs from.
  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run('npm', packing, { cwd: ROOT });
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  assert.ok(packed !== undefined);
  const files = packed.files.map((file) => file.path);
  for (const needed of [
    'bin/influx-proxy',
    'dist/src/cli.js',
    'config.example.json',
    'package.json',
  ]) {
    assert.ok(files.includes(needed), `${needed} in ${files.join(' ')}`);
  }
  const strays = files.filter(
    (file) =>
      !/^(bin|dist\/src)\/|^(package|config\.example)\.json$|^README\.md$|^LICENSE$/.test(file),
  );
  assert.deepEqual(strays, []);

  const prefix = path.join(folder, 'prefix');
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=dev', '--prefix', prefix];
  await run('npm', ['install', '--global', ...flags, path.join(folder, packed.filename)], {
    cwd: folder,
  });
  const program = path.join(prefix, 'bin/influx-proxy');
  assert.equal((await run(program, ['--version'], { cwd: folder })).stdout, '0.1.0\n');
  assert.ok((await readdir(path.join(prefix, 'lib/node_modules'))).includes('influx-proxy'));

  const backend = await scriptedBackend(t);
  const proxy = await startProxy(
    t,
    { backends: { a: { url: backend.url, db: 'db', ...PATIENT } }, keymaps: { _default_: ['a'] } },
    { launcher: program },
  );
  assert.equal((await proxy.request('/write?db=db', { body: 'm v=1 1' })).status, 204);
  assert.deepEqual(backend.writes, ['m v=1 1\n']);
});
