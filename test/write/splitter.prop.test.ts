import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanLines } from '../../src/lineprotocol/scanner.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { RouteCache } from '../../src/write/route-cache.ts';
import { Splitter } from '../../src/write/splitter.ts';
import { AWKWARD_LINES } from '../fixtures/lines.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);
const KEYMAP = new Keymap({ m: ['a'], n: ['b'], o: ['a', 'b'], p: ['a'] });
const STAMP = ' 7\n';

/** What the scanner alone says of a body: its valid lines by route, and the others. */
function linesOf(body: Buffer) {
  const routed = new Map<string, string[]>();
  let unrouted = 0;
  let invalid = 0;
  scanLines(body, 'ns', {
    point: (start, measurementEnd, end, timed) => {
      const route = KEYMAP.routeOf(body.toString('latin1', start, measurementEnd));
      if (route === undefined) {
        unrouted += 1;
        return;
      }
      const line = `${body.toString('latin1', start, end)}${timed ? '\n' : STAMP}`;
      const key = route.backends.join();
      routed.set(key, [...(routed.get(key) ?? []), line]);
    },
    invalid: () => {
      invalid += 1;
    },
  });
  return { routed, unrouted, invalid };
}

/** With a newline at its end. */
function ended(body: Buffer): Buffer {
  return body.at(-1) === 0x0a ? body : Buffer.concat([body, Buffer.from('\n')]);
}

const simpleLine = fc
  .tuple(fc.constantFrom('m', 'n', 'o', 'p', 'x'), fc.constantFrom('v=1', 's="a\nm v=2"', 'v'))
  .chain(([name, fields]) =>
    fc.constantFrom(`${name} ${fields} 5`, `${name} ${fields}`, ` ${name},t=x ${fields} 6 `),
  )
  .map((line) => Buffer.from(line));
const line = fc.oneof(
  { weight: 4, arbitrary: simpleLine },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '# c', '\r').map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_LINES).map(({ body }) => body) },
);
const body = fc
  .tuple(fc.array(line, { maxLength: 20 }), fc.boolean())
  .map(([lines, ends]) =>
    Buffer.concat(
      lines.flatMap((bytes, at) => (at > 0 || ends ? [Buffer.from('\n'), bytes] : [bytes])),
    ),
  );

test('the parts, the unrouted and the unparsable account for every line', () => {
  fc.assert(
    fc.property(body, fc.integer({ min: 1, max: 5 }), (bytes, maxPoints) => {
      const splitter = new Splitter(bytes, {
        routeOf: (name) => KEYMAP.routeOf(name),
        maxPointsOf: () => maxPoints,
        makeStamp: () => Buffer.from(STAMP),
        cache: new RouteCache(),
      });
      scanLines(bytes, 'ns', splitter);
      const parts = [...splitter.parts()];
      const expected = linesOf(bytes);

      const joined = new Map<string, string>();
      for (const { route, lines } of parts) {
        assert.ok(lines.points >= 1 && lines.points <= maxPoints);
        const key = route.backends.join();
        joined.set(key, (joined.get(key) ?? '') + lines.payload.toString('latin1'));
        const isWhole = lines.payload.equals(ended(bytes));
        assert.equal(lines.isWholeBody, isWhole, 'the body, to the byte');
      }
      const texts = [...expected.routed].map(([key, lines]) => [key, lines.join('')] as const);
      assert.deepEqual(joined, new Map(texts));
      const points = parts.reduce((sum, { lines }) => sum + lines.points, 0);
      assert.equal(points, splitter.routed);
      assert.equal(splitter.unparsable.count, expected.invalid);
      assert.equal(splitter.unrouted.points, expected.unrouted);
    }),
    { numRuns: RUNS },
  );
});

test('a part that is scanned again holds the points that it says', () => {
  fc.assert(
    fc.property(body, (bytes) => {
      const splitter = new Splitter(bytes, {
        routeOf: () => KEYMAP.routeOf('m'),
        maxPointsOf: () => 3,
        makeStamp: () => Buffer.from(STAMP),
        cache: new RouteCache(),
      });
      scanLines(bytes, 'ns', splitter);
      for (const { lines } of splitter.parts()) {
        let [timed, others] = [0, 0];
        scanLines(lines.payload, 'ns', {
          point: (_start, _measurementEnd, _end, isTimed) => {
            if (isTimed) timed += 1;
            else others += 1;
          },
          invalid: () => {
            others += 1;
          },
        });
        assert.deepEqual(
          [timed, others],
          [lines.points, 0],
          JSON.stringify(lines.payload.toString()),
        );
      }
    }),
    { numRuns: RUNS },
  );
});
