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

test('a measurement is known until another one takes its slot', () => {
  const cache = new RouteCache();
  const names = Array.from({ length: 100 }, (_, at) => Buffer.from(`m${at}`));
  for (const [at, bytes] of names.entries()) cache.set(bytes, 0, bytes.length, routeOf(at));
  const known = names.filter((bytes, at) => cache.get(bytes, 0, bytes.length)?.id === at);
  assert.ok(known.length > 80, `${known.length} of 100`);
});
