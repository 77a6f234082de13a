import { strict as assert } from 'node:assert';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { cpuMsOf } from '../support/cpu-time.ts';
import {
  type Json,
  checkProblems,
  directory,
  load,
  node1,
  problemsOf,
  withBackend,
  withBackendNames,
  withKeymaps,
  withProxy,
} from './support.ts';

test('a file of the older proxy loads unchanged, with its values', () => {
  const oldBackend = {
    url: 'http://192.0.2.10:8086',
    db: 'plant',
    zone: 'hall-a',
    interval: 500,
    timeout: 4000,
    timeoutQuery: 90000,
    maxRowLimit: 2500,
    checkInterval: 3000,
    rewriteInterval: 7000,
  };
  const config = load({
    proxy: {
      listenAddr: ':8087',
      db: 'plant',
      zone: 'hall-a',
      interval: 30,
      idleTimeout: 10,
      writeTracing: 1,
      queryTracing: 0,
    },
    backends: {
      press: oldBackend,
      oven: { ...oldBackend, url: 'http://192.0.2.20:8086/', zone: 'hall-b', writeOnly: 1 },
    },
    keymaps: { pressure: ['press'], _default_: ['press', 'oven'] },
  });

  assert.equal(config.proxy.listenAddr, ':8087');
  assert.equal(config.proxy.interval, 30);
  assert.equal(config.proxy.idleTimeout, 10);
  assert.equal(config.proxy.writeTracing, true);
  assert.equal(config.proxy.queryTracing, false);
  const added = {
    username: '',
    password: '',
    gzip: true,
    spillAfter: 500,
    maxSpillBytes: 10_737_418_240,
    onSpillFull: 'detach',
  };
  assert.deepEqual(config.backends, {
    press: { ...oldBackend, writeOnly: false, ...added },
    oven: {
      ...oldBackend,
      url: 'http://192.0.2.20:8086',
      zone: 'hall-b',
      writeOnly: true,
      ...added,
    },
  });
  assert.deepEqual(config.keymaps, { pressure: ['press'], _default_: ['press', 'oven'] });
});

test('a file with only what it must have gets every default', () => {
  const config = load(withBackend({}));
  assert.deepEqual(config, {
    proxy: {
      listenAddr: 'localhost:8087',
      db: '',
      zone: '',
      interval: 10,
      idleTimeout: 120,
      writeTracing: false,
      queryTracing: false,
      dataDir: 'data',
      maxBodySize: 25_000_000,
      maxInflatedSize: 104_857_600,
      maxInflightBytes: 134_217_728,
      gzipLevel: 1,
      maxMergeBytes: 67_108_864,
      allowStatements: [],
    },
    backends: {
      node1: {
        url: 'http://127.0.0.1:8086',
        db: 'metrics',
        zone: '',
        username: '',
        password: '',
        interval: 1000,
        maxRowLimit: 10_000,
        timeout: 10_000,
        timeoutQuery: 600_000,
        checkInterval: 1000,
        rewriteInterval: 10_000,
        writeOnly: false,
        gzip: true,
        spillAfter: 500,
        maxSpillBytes: 10_737_418_240,
        onSpillFull: 'detach',
      },
    },
    keymaps: {},
  });
});

test('nobody can change a loaded configuration', () => {
  const assertFrozen = (value: unknown): void => {
    assert.ok(Object.isFrozen(value));
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(assertFrozen);
  };
  assertFrozen(
    load({ ...withKeymaps({ cpu: ['node1'] }), proxy: { allowStatements: ['drop measurement'] } }),
  );
  assertFrozen(load(withBackend({})));
});

test('accepted spellings', () => {
  const check = (content: Json, pick: (config: Config) => unknown, expected: unknown): void => {
    assert.deepEqual(pick(load(content)), expected, JSON.stringify(content));
  };
  const checkUrl = (url: string, expected: string): void => {
    check(withBackend({ url }), (config) => config.backends['node1']?.url, expected);
  };

  checkUrl('http://influx', 'http://influx');
  checkUrl('HTTPS://Influx.example.com:8086/', 'https://influx.example.com:8086');
  checkUrl('http://[::1]:8086', 'http://[::1]:8086');
  checkUrl('http://10.0.0.1:8086/influx', 'http://10.0.0.1:8086/influx');
  checkUrl('http://10.0.0.1:8086/a/b@c//', 'http://10.0.0.1:8086/a/b@c');

  for (const key of ['writeTracing', 'queryTracing'] as const) {
    check(withProxy({ [key]: 1 }), (config) => config.proxy[key], true);
    check(withProxy({ [key]: true }), (config) => config.proxy[key], true);
    check(withProxy({ [key]: false }), (config) => config.proxy[key], false);
  }
  check(withBackend({ gzip: 0 }), (config) => config.backends['node1']?.gzip, false);
  check(withBackend({ gzip: false }), (config) => config.backends['node1']?.gzip, false);
  check(withBackend({ writeOnly: true }), (config) => config.backends['node1']?.writeOnly, true);

  check(withProxy({ interval: 0 }), (config) => config.proxy.interval, 0);
  check(withProxy({ listenAddr: '[::1]:0' }), (config) => config.proxy.listenAddr, '[::1]:0');
  check(
    withProxy({ allowStatements: ['drop measurement', 'drop retention policy'] }),
    (config) => config.proxy.allowStatements,
    ['drop measurement', 'drop retention policy'],
  );

  // A backend that no keymap uses, a keymap without a default.
  check(withKeymaps({}), (config) => Object.keys(config.backends), ['node1', 'node2']);
  check(withKeymaps({ cpu: ['node2'] }), (config) => config.keymaps, { cpu: ['node2'] });
  check(withBackendNames('A', 'b.1', '_c', '-d', '9'), (config) => Object.keys(config.backends), [
    '9', // JavaScript's order of keys
    'A',
    'b.1',
    '_c',
    '-d',
  ]);

  // Names that every JavaScript object has.
  check(withKeymaps({ constructor: ['node1'] }), (config) => Object.keys(config.keymaps), [
    'constructor',
  ]);
});

test('a short timeout shortens the default of spillAfter', () => {
  assert.equal(load(withBackend({ timeout: 300 })).backends['node1']?.spillAfter, 300);
  assert.equal(
    load(withBackend({ timeout: 300, spillAfter: 300 })).backends['node1']?.spillAfter,
    300,
  );
  assert.equal(load(withBackend({ timeout: 501 })).backends['node1']?.spillAfter, 500);
});

test('files that are not JSON', () => {
  const check = (content: string | Uint8Array, expected: string): void => {
    assert.deepEqual(problemsOf(content), [expected]);
  };

  check('', 'not JSON: line 1, column 1: found the end of the file, expected a value');
  check(
    '{\n  "proxy": {"db": "a",}\n}',
    'not JSON: line 2, column 23: found "}", expected a key in double quotes',
  );
  check(Buffer.from([0x7b, 0xff, 0x7d]), 'is not UTF-8 text (ERR_ENCODING_INVALID_ENCODED_DATA)');
  check('[]', 'found an empty list, expected an object with proxy, backends and keymaps');
  check('null', 'found null, expected an object with proxy, backends and keymaps');
});

test('files that cannot be read', () => {
  const check = (filePath: string, expected: string): void => {
    assert.throws(() => loadConfig(filePath), {
      code: 'CONFIG_INVALID',
      message: `${filePath}: ${expected}`,
    });
  };
  const folder = path.join(directory, 'folder');
  mkdirSync(folder);

  check(path.join(directory, 'none.json'), 'cannot be read (ENOENT)');
  check(folder, 'cannot be read (EISDIR)');
});

test('a byte order mark is not part of the text', () => {
  assert.deepEqual(problemsOf(`\ufeff${JSON.stringify(withBackend({}))}`), []);
});

test('keys that are there twice', () => {
  const backends = JSON.stringify({ node1 });
  checkProblems(
    `{"backends": ${backends}, "keymaps": {\n"cpu": ["node1"],\n"cpu.load": [],\n"cpu": ["node1"]}}`,
    'keymaps.cpu: found a second time in line 4, expected once',
    'keymaps["cpu.load"]: found an empty list, expected a list of backend names',
  );
});

test('all problems are reported at once', () => {
  checkProblems(
    `{
      "proxy": {"db": 1, "maxBodySize": 200000000, "zones": "a"},
      "backends": {
        "node1": {"url": "influx", "timeout": 100, "spillAfter": 200},
        "a/b": {"url": "http://influx", "db": "x", "db": "y"}
      },
      "keymaps": {"cpu": ["node2"], "mem": []}
    }`,
    'backends["a/b"].db: found a second time in line 5, expected once',
    'proxy.db: found 1, expected text',
    'proxy.zones: found an unknown key, did you mean zone?',
    'backends.node1.url: found "influx", expected an http:// or https:// URL, such as http://127.0.0.1:8086',
    'backends.node1.db: found nothing, expected the name of its database',
    'keymaps.mem: found an empty list, expected a list of backend names',
    'proxy.maxInflatedSize: found nothing (104857600 by default), expected at least maxBodySize (200000000)',
    'backends["a/b"]: found a name that is not safe as a directory, expected up to 100 letters, ' +
      'digits, ".", "_" and "-", the first not "." (the spill has this name)',
    'backends.node1.spillAfter: found 200, expected at most timeout (100)',
    'keymaps.cpu[0]: found "node2", expected a backend that is defined: node1, a/b',
  );
});

test('10,000 measurements load in linear time', () => {
  const keymaps = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [`measurement.${i}`, ['node1', 'node2']]),
  );
  const ms = cpuMsOf(() => {
    assert.equal(Object.keys(load(withKeymaps(keymaps)).keymaps).length, 10_000);
  });
  assert.ok(ms < 2_000, `${ms} ms`); // about 100 ms: catches a quadratic walk only
});
