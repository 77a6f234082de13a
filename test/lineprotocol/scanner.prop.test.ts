import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanAnyLine } from '../../src/lineprotocol/any-line.ts';
import { LineScan } from '../../src/lineprotocol/line-scan.ts';
import { scanPlainLine } from '../../src/lineprotocol/plain-line.ts';
import { AWKWARD_LINES } from '../fixtures/lines.ts';
import { collect, pointTexts } from './collect.ts';

const RUNS = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) };

const awkward = fc.constantFrom(...AWKWARD_LINES).map(({ body }) => body);
const piece = fc.constantFrom(
  ...['\\', ' ', ',', '=', '"', '\n', '\t', '\0', '#', '-', '.', 'e', 'i', 'u', 't', '\r', '\xff'],
  ...['m', 'm,t=x', ' v=1', ',w=2i', ' 17', '"a b"', '\\"', '\\\n', '0', '9223372036854775807'],
);
const soup = fc
  .array(piece, { maxLength: 20 })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

/** An awkward line with some bytes replaced by a piece of another. */
const damaged = fc.tuple(awkward, soup, fc.nat(), fc.nat()).map(([line, patch, from, skip]) => {
  const at = from % (line.length + 1);
  return Buffer.concat([
    line.subarray(0, at),
    patch.subarray(0, 3),
    line.subarray(at + (skip % 3)),
  ]);
});
const anyBody = fc
  .array(fc.oneof(awkward, soup, damaged), { maxLength: 5 })
  .map((lines) => joined(lines));

function joined(lines: readonly Uint8Array[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

test('spans are ordered, disjoint and within the body', () => {
  fc.assert(
    fc.property(anyBody, fc.nat({ max: 3 }), (body, cut) => {
      const cutBody = body.subarray(0, body.length - cut);
      const { spans, points } = collect(cutBody);
      let free = 0;
      for (const [start, end] of spans) {
        assert.ok(free <= start && start < end && end <= cutBody.length);
        free = end;
      }
      for (const { start, measurementEnd, end } of points) {
        assert.ok(start < measurementEnd && measurementEnd < end);
      }
    }),
    RUNS,
  );
});

test('no byte outside of the body is looked at', () => {
  fc.assert(
    fc.property(anyBody, soup, soup, (body, before, after) => {
      const around = Buffer.concat([before, body, after]);
      const within = around.subarray(before.length, before.length + body.length);
      assert.deepEqual(collect(within), collect(body));
    }),
    RUNS,
  );
});

test('valid lines joined with newlines are the same lines', () => {
  fc.assert(
    fc.property(anyBody, (body) => {
      const lines = pointTexts(body);
      assert.deepEqual(pointTexts(joined(lines.map(latin1))), lines);
    }),
    RUNS,
  );
});

test('a line without a timestamp has one once it is appended', () => {
  fc.assert(
    fc.property(anyBody, (body) => {
      const stamped = collect(body)
        .points.filter(({ timed }) => !timed)
        .map(({ start, end }) => `${body.toString('latin1', start, end)} 1700000000`);
      const again = joined(stamped.map(latin1));
      assert.deepEqual(pointTexts(again), stamped);
      assert.ok(collect(again).points.every(({ timed }) => timed));
    }),
    RUNS,
  );
});

test('a body of lines is judged line by line', () => {
  const closed = anyBody.filter((body) => collect(body).invalid.length === 0);
  fc.assert(
    fc.property(closed, anyBody, (first, second) => {
      const lines = pointTexts(first);
      const head = joined(lines.map(latin1));
      assert.deepEqual(
        collect(Buffer.concat([head, second])).invalid,
        collect(second).invalid.map(({ start, end, reason }) => ({
          start: start + head.length,
          end: end + head.length,
          reason,
        })),
      );
    }),
    RUNS,
  );
});

test('the fast path takes no line that the general path refuses or reads otherwise', () => {
  fc.assert(
    fc.property(
      anyBody,
      fc.constantFrom('ns' as const, 'u' as const, 'h' as const),
      (body, unit) => {
        const fast = new LineScan(body, unit);
        if (!scanPlainLine(fast, 0)) return;
        const general = new LineScan(body, unit);
        const { kind, next } = scanAnyLine(general, 0);
        assert.equal(kind, 'point');
        assert.deepEqual(
          [0, fast.measurementEnd, fast.end, fast.timed, fast.end + 1],
          [general.start, general.measurementEnd, general.end, general.timed, next],
        );
      },
    ),
    RUNS,
  );
});
