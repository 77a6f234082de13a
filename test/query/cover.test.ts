import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { Signal } from '../../src/core/signal.ts';
import { coverOf } from '../../src/query/cover.ts';
import { readOrder, type Replica } from '../../src/query/replica.ts';
import { Keymap, type Route } from '../../src/routing/keymap.ts';

const NAMES = ['a', 'b', 'c', 'd'];

interface Traits {
  readonly isComplete?: boolean;
  readonly isUp?: boolean;
  readonly zone?: string;
}

function replicasOf(traits: Readonly<Record<string, Traits>>): Map<string, Replica> {
  const made = NAMES.map((name): [string, Replica] => {
    const { isComplete = true, isUp = true, zone = '' } = traits[name] ?? {};
    const downSignal = new Signal();
    if (!isUp) downSignal.abort();
    return [
      name,
      {
        ...{ name, zone, db: 'db', writeOnly: false, isDetached: false, timeoutQuery: 1 },
        ...{ isComplete, isUp, backlogBytes: isComplete ? 0 : 1 },
        downSignal,
        query: () => {
          throw new Error('only its place matters');
        },
      },
    ];
  });
  return new Map(made);
}

/** `a:x,y b:z`: who answers for which routes, by the names of their measurements. */
function shown(
  keymaps: Readonly<Record<string, readonly string[]>>,
  traits: Readonly<Record<string, Traits>> = {},
): string {
  const keymap = new Keymap(keymaps);
  const replicas = replicasOf(traits);
  const order = ({ backends }: Route): readonly Replica[] =>
    readOrder(
      backends.flatMap((name) => replicas.get(name) ?? []),
      '',
      () => 0,
    );
  const shares = coverOf(keymap.routes, order, '');
  return shares
    .map(({ replica, routes }) => {
      const names = Object.keys(keymaps).filter((name) => {
        const route = keymap.routeOf(name);
        return route !== undefined && routes.has(route);
      });
      return `${replica.name}:${names.join(',')}`;
    })
    .join(' ');
}

test('as few servers as possible answer, each route once', () => {
  assert.equal(shown({ x: ['a'] }), 'a:x');
  assert.equal(shown({ x: ['a', 'b'], y: ['b', 'c'] }), 'b:x,y');
  assert.equal(shown({ x: ['a'], y: ['b'] }), 'a:x b:y');
  assert.equal(shown({ x: ['a', 'b'], y: ['b', 'c'], z: ['c'] }), 'b:x,y c:z');
  assert.equal(shown({ x: [...NAMES], y: ['c'], z: ['c', 'd'] }), 'c:x,y,z');
});

test('a server that misses points, is down or far does not answer for what a better one holds', () => {
  const keymaps = { x: ['a', 'b'], y: ['b', 'c'] };
  assert.equal(shown(keymaps, { b: { isComplete: false } }), 'a:x c:y');
  assert.equal(shown(keymaps, { b: { isUp: false } }), 'a:x c:y');
  assert.equal(shown(keymaps, { b: { zone: 'far' } }), 'a:x c:y');
  assert.equal(shown(keymaps, { b: { zone: 'far' }, a: { isComplete: false } }), 'b:x c:y');
  assert.equal(shown({ x: ['b'], y: ['b', 'c'] }, { b: { isComplete: false } }), 'b:x c:y');
});

test('every route that can be answered for is, once, by a replica as good as its best', () => {
  const backends = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 });
  const keymaps = fc.dictionary(fc.constantFrom('u', 'v', 'w', 'x', 'y', 'z'), backends, {
    minKeys: 1,
  });
  fc.assert(
    fc.property(
      keymaps,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      (maps, complete) => {
        const traits = Object.fromEntries(
          NAMES.map((name, at) => [name, { isComplete: complete[at] === true }]),
        );
        const said = shown(maps, traits)
          .split(' ')
          .map((share) => share.split(':'));
        const answered = said.flatMap(([, names = '']) => names.split(','));
        assert.deepEqual(answered.toSorted(), Object.keys(maps).toSorted());
        for (const [replica = '', names = ''] of said) {
          for (const name of names.split(',')) {
            const holders = maps[name] ?? [];
            assert.ok(holders.includes(replica));
            const best = holders.some((holder) => traits[holder]?.isComplete === true);
            assert.equal(traits[replica]?.isComplete, best);
          }
        }
      },
    ),
  );
});
