import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { scanLines } from '../../src/lineprotocol/scanner.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { RouteCache } from '../../src/write/route-cache.ts';
import { Splitter } from '../../src/write/splitter.ts';

const KEYMAP = new Keymap({ m: ['a'], n: ['b'], o: ['a'] });

/** Each part as `route: payload (points)`. */
function partsOf(body: string, maxPoints = 1_000): string[] {
  const splitter = new Splitter(Buffer.from(body), {
    routeOf: (name) => KEYMAP.routeOf(name),
    maxPointsOf: () => maxPoints,
    makeStamp: () => Buffer.from(' 99\n'),
    cache: new RouteCache(),
  });
  scanLines(Buffer.from(body), 'ns', splitter);
  return [...splitter.parts()].map(
    ({ route, lines }) => `${route.backends.join()}: ${lines.payload.toString()}(${lines.points})`,
  );
}

test('the lines of one route are one part, in their order, each with a newline', () => {
  const check = (body: string, ...expected: string[]): void => {
    assert.deepEqual(partsOf(body), expected, JSON.stringify(body));
  };
  check('');
  check('\n \n# only a comment\n');
  check('m v=1 1', 'a: m v=1 1\n(1)');
  check('m v=1 1\n', 'a: m v=1 1\n(1)');
  check('m v=1 1\nm v=2 2', 'a: m v=1 1\nm v=2 2\n(2)');
  check('m v=1 1\nn v=2 2\no v=3 3\n', 'a: m v=1 1\no v=3 3\n(2)', 'b: n v=2 2\n(1)');
  check('m s="a\nn v=9 9\nb" 1\nn v=2 2', 'a: m s="a\nn v=9 9\nb" 1\n(1)', 'b: n v=2 2\n(1)');

  // What is between the lines is left out
  check('m v=1 1\n\n# no\n  m v=2 2\n', 'a: m v=1 1\nm v=2 2\n(2)');
  check('m v=1 1\nnobody v=1 1\nm v=2 2', 'a: m v=1 1\nm v=2 2\n(2)');
  check('m v=1 1\nm bad\nm v=2 2', 'a: m v=1 1\nm v=2 2\n(2)');

  // Stamps
  check('m v=1', 'a: m v=1 99\n(1)');
  check('m v=1 1\nm v=2\nm v=3 3\nm v=4\n', 'a: m v=1 1\nm v=2 99\nm v=3 3\nm v=4 99\n(4)');
  check('m v=1\nn v=2\nm v=3', 'a: m v=1 99\nm v=3 99\n(2)', 'b: n v=2 99\n(1)');
});

test('a part holds no more points than its route allows', () => {
  const check = (body: string, ...expected: string[]): void => {
    assert.deepEqual(partsOf(body, 2), expected, JSON.stringify(body));
  };
  check('m v=1 1\nm v=2 2', 'a: m v=1 1\nm v=2 2\n(2)');
  check('m v=1 1\nm v=2 2\nm v=3 3', 'a: m v=1 1\nm v=2 2\n(2)', 'a: m v=3 3\n(1)');
  check('m v=1\nm v=2 2\nm v=3\nm v=4', 'a: m v=1 99\nm v=2 2\n(2)', 'a: m v=3 99\nm v=4 99\n(2)');
  check('m v=1 1\nn v=2 2\nm v=3 3', 'a: m v=1 1\nm v=3 3\n(2)', 'b: n v=2 2\n(1)');
});

test('a part holds no more bytes than a server takes soon, save those of a longer line', () => {
  const long = 'x'.repeat(3 * 1024 * 1024);
  const check = (lines: readonly string[], ...points: number[]): void => {
    const parts = partsOf(lines.map((line) => `${line}\n`).join(''));
    assert.deepEqual(
      parts.map((part) => Number(/\((\d+)\)$/.exec(part)?.[1])),
      points,
    );
  };
  const timed = `m s="${long}" 1`;
  const untimed = `m s="${long}"`;
  check([timed, timed, timed, timed, 'm v=1 1'], 2, 3);
  check([untimed, untimed, untimed, untimed, 'm v=1'], 2, 3);
  check(['m v=1 1', `m s="${long}${long}${long}" 1`, 'm v=1 1', timed], 1, 1, 2);
  check([timed, 'nobody v=1 1', timed, 'nobody v=1 1', timed], 2, 1);
});
