import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { configKeys } from '../../src/config/schema.ts';

const FILE = 'config.example.json';

type Section = Record<string, unknown>;

/** The keys as the documentation writes them, with the values of the proxy and of every backend. */
function exampleValues(): Map<string, unknown[]> {
  const { proxy, backends } = JSON.parse(readFileSync(FILE, 'utf8')) as {
    proxy: Section;
    backends: Record<string, Section>;
  };
  const values = new Map<string, unknown[]>();
  const add = (section: string, keys: Section): void => {
    for (const [key, value] of Object.entries(keys)) {
      const known = values.get(`${section}.${key}`) ?? [];
      values.set(`${section}.${key}`, [...known, value]);
    }
  };
  add('proxy', proxy);
  for (const backend of Object.values(backends)) add('backends.NAME', backend);
  return values;
}

test('the example loads, with two zones and two backends', () => {
  const { backends, keymaps } = loadConfig(FILE);
  const zones = Object.values(backends).map(({ zone }) => zone);
  assert.equal(new Set(zones).size, 2);
  assert.ok('_default_' in keymaps);
});

test('the example shows every key, with its default where it has one', () => {
  const values = exampleValues();
  for (const { path, default: byDefault } of configKeys()) {
    if (path === 'keymaps.MEASUREMENT') continue; // the test above
    const found = values.get(path) ?? [];
    assert.ok(found.length > 0, `${path} is not in ${FILE}`);
    if (byDefault === undefined) continue;
    const shown = found.map((value) => JSON.stringify(value));
    assert.ok(shown.includes(JSON.stringify(byDefault)), `${path}: ${shown.join()} in ${FILE}`);
  }
});
