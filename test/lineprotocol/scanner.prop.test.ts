import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { AWKWARD_LINES } from '../fixtures/lines.ts';
import { collect, collectOneByOne, pointTexts } from './collect.ts';

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

const precision = fc.constantFrom(
  'ns' as const,
  'u' as const,
  'ms' as const,
  's' as const,
  'h' as const,
);

test('the fast path reads every body as the general path does', () => {
  fc.assert(
    fc.property(anyBody, precision, fc.nat({ max: 3 }), (body, unit, cut) => {
      const cutBody = body.subarray(0, body.length - cut);
      assert.deepEqual(collect(cutBody, unit), collectOneByOne(cutBody, unit));
    }),
    RUNS,
  );
});

/** Lines of numbers, tags and strings in many spellings, most of them valid: the fast path's own ground. */
const name = fc.oneof(
  fc.stringMatching(/^[a-z"][a-z0-9"_-]{0,20}$/),
  fc.constantFrom('a', 'a2', 'ab', 'a=', '\t', '\t\t'),
);
const escaped = fc.constantFrom(
  'a',
  'b',
  '\\\\',
  '\\ ',
  '\\,',
  '\\=',
  '\\"',
  '"',
  ' ',
  '\\a',
  '\\\n',
  '\n',
  ',',
  '=',
);
const escapes = fc.array(escaped, { maxLength: 6 }).map((parts) => parts.join(''));
const tagValue = fc.oneof(name, escapes);
const digits = fc.stringMatching(/^[0-9]{1,26}$/);
const value = fc.oneof(
  digits,
  fc
    .tuple(fc.constantFrom('', '-'), digits, fc.constantFrom('i', '.', 'u', ''))
    .map((parts) => parts.join('')),
  fc.tuple(digits, digits).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc.constantFrom(
    't',
    'f',
    'true',
    'false',
    'tru',
    'truf',
    'falsx',
    'False',
    '-',
    '.5',
    '1e3',
    '1..2',
    'i',
    '-i',
    '"',
    '""',
  ),
  fc.stringMatching(/^"[a-z ,="\n]{0,20}"x?$/),
  escapes.map((text) => `"${text}"`),
);
const nearlyPlain = fc
  .record({
    measurement: name,
    tags: fc.array(fc.tuple(name, tagValue), { maxLength: 6 }),
    fields: fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 4 }),
    time: fc.option(fc.tuple(fc.constantFrom('', '-', ' '), digits).map((parts) => parts.join(''))),
  })
  .map(({ measurement, tags, fields, time }) => {
    const pairs = (of: readonly (readonly [string, string])[]): string[] =>
      of.map((pair) => pair.join('='));
    const key = [measurement, ...pairs(tags)].join(',');
    return `${key} ${pairs(fields).join(',')}${time === null ? '' : ` ${time}`}`;
  });

test('the fast path reads nearly plain lines as the general path does', () => {
  fc.assert(
    fc.property(fc.array(nearlyPlain, { maxLength: 5 }), precision, (lines, unit) => {
      const body = latin1(lines.join('\n'));
      assert.deepEqual(collect(body, unit), collectOneByOne(body, unit));
    }),
    RUNS,
  );
});

test('the fast path reads a body as the general path does wherever its pieces end', () => {
  const PIECE_BYTES = 64_000;
  const fewer = { numRuns: Math.ceil(RUNS.numRuns / 20) };
  fc.assert(
    fc.property(
      anyBody,
      anyBody,
      fc.nat({ max: 200 }),
      fc.nat({ max: 2 }),
      (first, second, shift, pieces) => {
        const plain = Buffer.from('m,t=x v=1 17\n');
        const bytes = Math.max(0, pieces * PIECE_BYTES - first.length - shift);
        const filler = Buffer.alloc(bytes - (bytes % plain.length), plain);
        const longLine = Buffer.from(`m s="${'x'.repeat(shift * 1000)}"\n`);
        const body = Buffer.concat([first, filler, second, longLine, second]);
        assert.deepEqual(collect(body), collectOneByOne(body, 'ns'));
      },
    ),
    fewer,
  );
});
