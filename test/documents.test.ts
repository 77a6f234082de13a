import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { loadConfig } from '../src/config/load.ts';
import { COMMANDS, usageOf } from '../src/commands/commands.ts';
import { configKeys } from '../src/config/schema.ts';
import { startInfluxd } from './support/influxd.ts';
import { startProxy } from './support/proxy.ts';
import { tempDir } from './support/temp-dir.ts';

// The README's tables and examples, held against the code and run.

const README = readFileSync('README.md', 'utf8');
const run = promisify(execFile);

test('the configuration table names every key with its default, and no other', () => {
  const shown = tableUnder('## Configuration').map(([key = '', value = '']) => ({
    path: uncode(key),
    default: value === '' ? undefined : (JSON.parse(uncode(value)) as unknown),
  }));
  assert.deepEqual(shown, configKeys());
});

test('the configuration of the README loads', async (t) => {
  const [config = ''] = blocks('json');
  const file = path.join(await tempDir(t), 'config.json');
  await writeFile(file, config);
  assert.deepEqual(Object.keys(loadConfig(file).backends), ['east', 'west']);
});

test('the commands are those of the README', () => {
  const shown = tableUnder('### Commands').map(([usage = '']) => uncode(usage));
  assert.deepEqual(shown, COMMANDS.map(usageOf));
});

test('every package that the project depends on has its reason, and no other', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const reasons = tableUnder('### Dependencies').map(([name]) => name);
  assert.deepEqual(reasons.toSorted(), Object.keys(dependencies).toSorted());
});

test('the examples and the endpoints of the README answer as it says', async (t) => {
  const [east, west] = [await startInfluxd(t), await startInfluxd(t)];
  for (const server of [east, west]) await server.createDatabase('metrics');
  const [config = ''] = blocks('json');
  const { proxy: own, backends, keymaps } = JSON.parse(config) as ReadmeConfig;
  const proxy = await startProxy(t, {
    proxy: { db: own['db'] },
    backends: {
      east: { ...backends.east, url: east.url },
      west: { ...backends.west, url: west.url },
    },
    keymaps,
  });
  await proxy.waitFor((meta) => Object.values(meta.backends).every(({ up }) => up));

  for (const { command, output } of examples()) {
    const { stdout } = await run('bash', [
      '-c',
      command.replaceAll('http://localhost:8087', proxy.url),
    ]);
    assert.equal(stdout, output, command);
  }
  for (const [endpoint = '', methods = ''] of tableUnder('## Endpoints')) {
    const { status, headers } = await proxy.request(uncode(endpoint), { method: 'TRACE' });
    assert.equal(status, 405, endpoint);
    assert.equal(headers.allow, methods, endpoint);
  }
});

interface ReadmeConfig {
  readonly proxy: Readonly<Record<string, unknown>>;
  readonly backends: Readonly<Record<'east' | 'west', Record<string, unknown>>>;
  readonly keymaps: Readonly<Record<string, readonly string[]>>;
}

/** The cells of the first table that follows a heading, less its head. */
function tableUnder(heading: string): string[][] {
  const from = README.indexOf(`\n${heading}\n`);
  assert.notEqual(from, -1, heading);
  const table = /(?:^\|.*\n)+/m.exec(README.slice(from))?.[0] ?? '';
  const rows = table.trimEnd().split('\n').slice(2);
  assert.ok(rows.length > 0, heading);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function uncode(cell: string): string {
  return cell.replace(/^`(.*)`$/, '$1');
}

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  const fenced = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...README.matchAll(fenced)].map(([, text = '']) => text);
}

/** Each line that begins with `$ `, and the lines behind it: what it prints. */
function examples(): { command: string; output: string }[] {
  const parts = blocks('console').flatMap((block) => block.split(/^\$ /m).slice(1));
  assert.ok(parts.length > 0);
  return parts.map((part) => {
    const end = part.indexOf('\n');
    return { command: part.slice(0, end), output: part.slice(end + 1) };
  });
}
