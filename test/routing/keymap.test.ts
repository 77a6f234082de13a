import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Keymap } from '../../src/routing/keymap.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

/** As the configuration is read: `__proto__` in a JSON text is an ordinary key. */
function keymapOf(json: string): Keymap {
  return new Keymap(JSON.parse(json) as Record<string, string[]>);
}

test('a measurement goes to the backends of its exact name, else to the default', () => {
  const keymap = keymapOf('{"cpu":["a"],"cpu.load":["b"],"Mem":["a","c"],"_default_":["c","b"]}');
  const check = (measurement: string, expected: readonly string[]): void => {
    assert.deepEqual(keymap.routeOf(measurement)?.backends, expected, measurement);
  };

  check('cpu', ['a']);
  check('cpu.load', ['b']);
  check('Mem', ['a', 'c']);

  // Neither a prefix, nor another case, nor more of the name.
  check('cp', ['b', 'c']);
  check('cpu.', ['b', 'c']);
  check('cpu.load.1', ['b', 'c']);
  check('mem', ['b', 'c']);
  check('', ['b', 'c']);

  // In data this is a measurement like any other, and no entry but the default names it.
  check('_default_', ['b', 'c']);

  // What every JavaScript object has.
  check('constructor', ['b', 'c']);
  check('toString', ['b', 'c']);
  check('__proto__', ['b', 'c']);
});

test('without a default an unnamed measurement has no route', () => {
  const check = (json: string, measurement: string): void => {
    assert.equal(keymapOf(json).routeOf(measurement), undefined, `${json} ${measurement}`);
  };

  check('{}', 'cpu');
  check('{}', '_default_');
  check('{"cpu":["a"]}', 'mem');
  check('{"cpu":["a"]}', '_default_');
  check('{"cpu":["a"]}', '__proto__');
  check('{"cpu":["a"]}', 'constructor');
});

test('names that every object has can be measurements of their own', () => {
  const keymap = keymapOf('{"__proto__":["a"],"constructor":["b"],"_default_":["c"]}');
  assert.deepEqual(keymap.routeOf('__proto__')?.backends, ['a']);
  assert.deepEqual(keymap.routeOf('constructor')?.backends, ['b']);
  assert.deepEqual(keymap.routeOf('hasOwnProperty')?.backends, ['c']);
});

test('measurements with the same set of backends share one route', () => {
  const keymap = keymapOf('{"m1":["a","b"],"m2":["b","a"],"m3":["a"],"_default_":["a","b","a"]}');
  assert.equal(keymap.routeOf('m1'), keymap.routeOf('m2'));
  assert.equal(keymap.routeOf('m1'), keymap.routeOf('anything'));
  assert.notEqual(keymap.routeOf('m1'), keymap.routeOf('m3'));
  assert.deepEqual(keymap.routes, [
    { id: 0, backends: ['a', 'b'] },
    { id: 1, backends: ['a'] },
  ]);
});

test('backend names that look joined do not share a route', () => {
  const keymap = keymapOf('{"m1":["a,b"],"m2":["a","b"],"m3":["a\\",\\"b"]}');
  assert.equal(keymap.routes.length, 3);
});

test('the keymap is a copy that nobody can change', () => {
  const backends = ['a'];
  const keymap = new Keymap({ cpu: backends });
  backends.push('b');
  assert.deepEqual(keymap.routeOf('cpu')?.backends, ['a']);
  assert.ok(Object.isFrozen(keymap.routes));
  assert.ok(Object.isFrozen(keymap.routeOf('cpu')));
  assert.ok(Object.isFrozen(keymap.routeOf('cpu')?.backends));
});

test('a measurement that maps to no backend is a bug of the caller', () => {
  assert.throws(
    () => new Keymap({ cpu: [] }),
    /^Error: BUG: a measurement that maps to no backend/,
  );
});

test('10,000 measurements build in linear time', () => {
  const entries = Array.from({ length: 10_000 }, (_, i): [string, string[]] => [
    `measurement.${i}`,
    [`node${i % 7}`, `node${(i + 3) % 11}`],
  ]);
  const ms = cpuMsOf(() => {
    const keymap = new Keymap(Object.fromEntries(entries));
    assert.deepEqual(keymap.routeOf('measurement.9999')?.backends, ['node3']);
  });
  assert.ok(ms < 1_000, `${ms} ms`); // about 10 ms: catches a quadratic walk only
});
