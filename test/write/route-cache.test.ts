import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Route } from '../../src/routing/keymap.ts';
import { RouteCache } from '../../src/write/route-cache.ts';

function routeOf(id: number): Route {
  return { id, backends: [`b${id}`] };
}

/** So many that they share slots, in part with the same beginning. */
const name = fc.oneof(
  fc.integer({ min: 1, max: 5_000 }).map((at) => `measurement_${at}`),
  fc.string({ minLength: 1, maxLength: 4 }),
  fc.integer({ min: 1, max: 300 }).map((length) => 'x'.repeat(length)),
);

test('what is known of a measurement is what was told of it last', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat({ max: 9 })), { maxLength: 200 }), (told) => {
      const cache = new RouteCache();
      const routes = new Map<string, number>();
      for (const [text, id] of told) {
        const body = Buffer.from(`..${text},t=x v=1`);
        const end = 2 + Buffer.byteLength(text);
        const known = cache.get(body, 2, end);
        if (known !== undefined) assert.equal(known.id, routes.get(text), text);
        cache.set(body, 2, end, routeOf(id));
        body.fill(0); // a body is gone when its request is
        routes.set(text, id);
      }
    }),
  );
});

test('very many measurements are known, and when they are too many the last ones', () => {
  const cache = new RouteCache();
  const isKnown = (id: number): boolean => {
    const bytes = Buffer.from(`measurement_${id}`);
    return cache.get(bytes, 0, bytes.length)?.id === id;
  };
  for (let id = 0; id < 100_000; id++) {
    const bytes = Buffer.from(`measurement_${id}`);
    cache.set(bytes, 0, bytes.length, routeOf(id));
    assert.ok(isKnown(id));
    if (id === 10_000) for (let old = 0; old < id; old++) assert.ok(isKnown(old));
  }
});

test('names that are long or take much memory do no harm', () => {
  const cache = new RouteCache();
  for (let id = 0; id < 5_000; id++) {
    const bytes = Buffer.from(`${id}_`.padEnd(id % 1_200, 'x'));
    cache.set(bytes, 0, bytes.length, routeOf(id));
    assert.equal(cache.get(bytes, 0, bytes.length)?.id, bytes.length > 1024 ? undefined : id);
  }
});

/** FNV-1a, as the cache folds it into its slots. */
function slotOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) & 0x7fff;
}

test('names that a client chose to meet in one slot are not looked for among all of them', () => {
  const cache = new RouteCache();
  const slots = Array.from({ length: 3_000_000 }, (_, id) => slotOf(`m${id}`));
  const names = slots.flatMap((slot, id) => (slot === 7 ? [Buffer.from(`m${id}`)] : []));
  assert.ok(names.length > 80, `${names.length} names`);
  for (const [id, name] of names.entries()) cache.set(name, 0, name.length, routeOf(id));
  const known = names.map((name) => cache.get(name, 0, name.length)?.id);
  assert.deepEqual(
    known,
    names.map((_, id) => (id < 64 ? id : undefined)),
  );
});
