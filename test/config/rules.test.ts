import { test } from 'node:test';
import {
  type Json,
  checkProblems,
  node1,
  withBackendNames,
  withKeymaps,
  withProxy,
} from './support.ts';

test('sizes hold what the size before lets through', () => {
  const check = (proxy: Json, ...expected: string[]): void => {
    checkProblems(withProxy(proxy), ...expected.map((problem) => `proxy.${problem}`));
  };

  check({ maxBodySize: 5, maxInflatedSize: 5, maxInflightBytes: 5 });
  check(
    { maxBodySize: 6, maxInflatedSize: 5 },
    'maxInflatedSize: found 5, expected at least maxBodySize (6)',
  );
  check(
    { maxBodySize: 104_857_601 },
    'maxInflatedSize: found nothing (104857600 by default), expected at least maxBodySize (104857601)',
  );
  check(
    { maxInflightBytes: 104_857_599 },
    'maxInflightBytes: found 104857599, expected at least maxInflatedSize (104857600)',
  );
});

test('wrong names of backends', () => {
  const check = (name: string, at: string): void => {
    checkProblems(
      withBackendNames('ok', name),
      `backends${at}: found a name that is not safe as a directory, expected up to 100 letters, ` +
        'digits, ".", "_" and "-", the first not "." (the spill has this name)',
    );
  };

  check('', '[""]');
  check('.', '["."]');
  check('..', '[".."]');
  check('.node', '[".node"]');
  check('a/b', '["a/b"]');
  check('a\\b', '["a\\\\b"]');
  check('a b', '["a b"]');
  check('n\u00f6de', '["n\u00f6de"]');
  check('a\n', '["a\\n"]');
  check('x'.repeat(101), `.${'x'.repeat(101)}`);
  check('__proto__', '.__proto__');

  checkProblems(
    withBackendNames('node1', 'Node1'),
    'backends.Node1: found a name that differs from node1 by case only, expected another name',
  );
  checkProblems(
    { backends: {}, keymaps: {} },
    'backends: found an empty object, expected at least one backend',
  );
  checkProblems(
    {},
    'backends: found nothing, expected an object of backends',
    'keymaps: found nothing, expected an object of measurements',
  );
});

test('wrong keymaps', () => {
  const check = (keymaps: unknown, ...expected: string[]): void => {
    checkProblems(withKeymaps(keymaps), ...expected.map((problem) => `keymaps${problem}`));
  };
  const defined = 'a backend that is defined: node1, node2';

  check([], ': found an empty list, expected an object of measurements');
  check({ cpu: [] }, '.cpu: found an empty list, expected a list of backend names');
  check({ cpu: 'node1' }, '.cpu: found "node1", expected a list of backend names');
  check({ cpu: ['node1', 2] }, '.cpu[1]: found 2, expected a backend name');
  check({ cpu: ['node1', 'node3'] }, `.cpu[1]: found "node3", expected ${defined}`);
  check({ 'cpu load': ['Node1'] }, `["cpu load"][0]: found "Node1", expected ${defined}`);
  check({ cpu: ['constructor'] }, `.cpu[0]: found "constructor", expected ${defined}`);
  check(
    { cpu: ['node1', 'node2', 'node1'] },
    '.cpu[2]: found "node1" a second time, expected each backend once',
  );
  check({ '': ['node1'] }, '[""]: found "", expected the name of a measurement');
  checkProblems(
    `{"backends": {"node1": ${JSON.stringify(node1)}}, "keymaps": {"__proto__": ["node1"]}}`,
    'keymaps.__proto__: found "__proto__", expected the name of a measurement',
  );
  checkProblems(
    { ...withBackendNames('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'), keymaps: { m: ['j'] } },
    'keymaps.m[0]: found "j", expected a backend that is defined: a, b, c, d, e, f, g, h, ...',
  );
});
