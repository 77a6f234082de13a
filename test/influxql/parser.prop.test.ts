import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cursor, SyntaxFault } from '../../src/influxql/cursor.ts';
import { quoteIdentifier, rename, sliceOf } from '../../src/influxql/edit.ts';
import { parseBatch, parseQuery } from '../../src/influxql/parser.ts';
import { databasesOf, type StatementType } from '../../src/influxql/statement.ts';
import { corpus, ours } from './fixtures.ts';
import { all } from './support.ts';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300);

/** Any text that can be a name. */
const anyName = fc
  .string({ unit: 'binary', maxLength: 12 })
  .filter((name) => !/[\0\r\ud800-\udfff]/u.test(name));

/** A name as some client would write it, with its value. */
const written = fc.oneof(
  fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}x$/).map((name) => ({ text: name, value: name })),
  anyName.map((name) => ({ text: quoteIdentifier(name), value: name })),
  anyName.map((name) => ({ text: `glued${quoteIdentifier(name)}`, value: name })),
);

/** What separates tokens anywhere: a comment that a slash begins is not possible everywhere. */
const gap = fc
  .array(fc.constantFrom(' ', '\n', '\r\n', '\t', '-- from; into "x\n', `--'\r`), { maxLength: 3 })
  .map((parts) => ` ${parts.join('')}`);

const source = fc
  .record({
    db: fc.option(written, { nil: undefined }),
    rp: fc.option(written, { nil: undefined }),
    name: written,
  })
  .map(({ db, rp, name }) => {
    const prefix = db === undefined ? rp && `${rp.text}.` : `${db.text}.${rp?.text ?? ''}.`;
    const values = [db?.value ?? '', rp?.value ?? '', name.value];
    return { text: `${prefix ?? ''}${name.text}`, values };
  });

/** A word in any mixture of cases. */
function anyCase(word: string): fc.Arbitrary<string> {
  return fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((upper) =>
      Array.from(word, (c, i) => (upper[i] === true ? c.toUpperCase() : c.toLowerCase())).join(''),
    );
}

/** Tokens with any gaps between them. */
function spaced(...tokens: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> {
  const parts = tokens.map((token) =>
    typeof token !== 'string'
      ? token
      : /^[A-Za-z]+$/.test(token)
        ? anyCase(token)
        : fc.constant(token),
  );
  return fc.tuple(...parts.flatMap((part) => [gap, part]), gap).map((texts) => texts.join(''));
}

const quotedOrNot = fc.constantFrom('victim', '"victim"', 'x"victim"');

/** Statements that must never pass for reads. */
const FORBIDDEN: readonly [StatementType, fc.Arbitrary<string>][] = [
  ['select into', spaced('SELECT', '*', 'INTO', quotedOrNot, 'FROM', quotedOrNot)],
  ['select into', spaced('SELECT', 'max(v)INTO', quotedOrNot, 'FROM', '(SELECT v FROM m)')],
  ['drop database', spaced('DROP', 'DATABASE', quotedOrNot)],
  ['drop measurement', spaced('DROP', 'MEASUREMENT', quotedOrNot)],
  ['drop series', spaced('DROP', 'SERIES', 'FROM', quotedOrNot)],
  ['delete', spaced('DELETE', 'FROM', quotedOrNot, 'WHERE', 'time', '>', '0')],
  ['delete', spaced('DELETE', 'WHERE', `h = 'from'`)],
  ['create user', spaced('CREATE', 'USER', quotedOrNot, 'WITH', 'PASSWORD', `'x'`)],
  ['grant admin', spaced('GRANT', 'ALL', 'TO', quotedOrNot)],
  ['set password', spaced('SET', 'PASSWORD', 'FOR', quotedOrNot, '=', `'--'`)],
  ['drop shard', spaced('DROP', 'SHARD', '7')],
  ['kill query', spaced('KILL', 'QUERY', '7')],
  ['create database', spaced('CREATE', 'DATABASE', quotedOrNot)],
];

test('sources are found whatever the names and the gaps', () => {
  const text = fc.array(source, { minLength: 1, maxLength: 4 }).chain((sources) =>
    fc.record({
      values: fc.constant(sources.map(({ values }) => values)),
      text: spaced(
        'SELECT',
        'v',
        'FROM',
        ...sources.flatMap(({ text }, i) =>
          i > 0 ? [',', fc.constant(text)] : [fc.constant(text)],
        ),
      ),
    }),
  );
  fc.assert(
    fc.property(text, ({ text, values }) => {
      const found = all(text).flatMap(({ sources }) =>
        sources.map(({ db, rp, name }) => [db?.value ?? '', rp?.value ?? '', name]),
      );
      assert.deepEqual(found, values);
    }),
    { numRuns },
  );
});

test('a forbidden statement stays forbidden in any case, spacing, quoting and company', () => {
  const statement = fc
    .constantFrom(...FORBIDDEN)
    .chain(([type, text]) => text.map((q) => ({ type, q })));
  const before = fc.constantFrom(
    '',
    ';',
    'SHOW DATABASES;',
    'SELECT v FROM m ;\n',
    `SELECT 'a;' FROM "b;" WHERE c =~ /;'/;`,
    '/* SELECT */',
  );
  const after = fc.constantFrom('', ';', ';SELECT v FROM m', '--', ';/**/');
  fc.assert(
    fc.property(before, statement, after, (head, { type, q }, tail) => {
      const types = all(head + q + tail).map((found) => found.type);
      assert.ok(types.includes(type), types.join());
    }),
    { numRuns },
  );
});

test('blanks and comments around a statement change nothing', () => {
  const valid = corpus().filter(
    ({ q, params, ok }) => ok && params === undefined && parseQuery(q).ok,
  );
  fc.assert(
    fc.property(fc.constantFrom(...valid), gap, gap, ({ q }, head, tail) => {
      assert.deepEqual(all(`/**/${head}${q}\n${tail}`).map(ours), all(q).map(ours));
    }),
    { numRuns },
  );
});

test('renaming databases changes them and nothing else', () => {
  const valid = corpus().filter(
    ({ q, params, ok }) => ok && params === undefined && parseQuery(q).ok,
  );
  fc.assert(
    fc.property(fc.constantFrom(...valid), anyName, ({ q }, to) => {
      fc.pre(to !== '' && to !== '*');
      for (const statement of all(q)) {
        const names = databasesOf(statement);
        const edits = names.map((name) => rename(name, to));
        const [edited] = all(sliceOf(q, statement, edits));
        assert.ok(edited !== undefined);
        assert.deepEqual(
          databasesOf(edited).map(({ value }) => value),
          names.map(() => to),
        );
        const strip = (text: object): string =>
          JSON.stringify(text).replace(/"db":"(?:[^"\\]|\\.)*"/g, '');
        assert.equal(strip(ours(edited)), strip(ours(statement)));
      }
    }),
    { numRuns },
  );
});

test('no text makes the parser throw, and its work is linear', () => {
  // prettier-ignore
  const pieces = fc.constantFrom(
    'SELECT ', 'v', ' FROM ', 'm', ', ', '.', '..', '/re/', '/', '/*', '*/', '--', '\n', '\r', ' ', '(', ')', '"', "'", '\\', '$', '$p',
    ' INTO ', ':MEASUREMENT', ':', '::', ';', ' WHERE ', '=', '=~', '-', '1', '1h', '.5', ' GROUP BY ', 'time(', 'now()', ' fill(0)',
    ' LIMIT ', 'DROP ', 'SERIES ', 'SHOW ', 'DISTINCT ', 'tz(', ' AS ', '*', 'DELETE ', '\u00b5', '\ufeff', '[', '[:', ':]', '{2}', '+',
  );
  const garbage = fc.oneof(
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
    fc.array(pieces, { maxLength: 40 }).map((parts) => `SELECT v FROM ${parts.join('')}`),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .tuple(fc.array(pieces, { maxLength: 4 }), fc.nat(300))
      .map(([parts, n]) => parts.join('').repeat(n)),
  );
  fc.assert(
    fc.property(garbage, (text) => {
      const result = parseQuery(text, { p: { regex: 'x' } });
      if (result.ok) {
        for (const { start, end } of result.statements)
          assert.ok(start < end && end <= text.length);
      }
      assert.ok(stepsFor(text) <= 8 * text.length + 100, `${stepsFor(text)} steps`);
    }),
    { numRuns: numRuns * 3 },
  );
});

test('work grows with the length, whatever repeats', () => {
  // prettier-ignore
  const repeated = [
    'a.', 'a,', 'a+', '-- x\n', '/**/', ';', '$x,', '"a",', 'f(a),', '1h,', 'a=~/x/ AND ', '(', 'f(', '/[[:/, ', '0', 'é', '\\', '\r\n',
  ];
  for (const piece of repeated) {
    for (const head of ['', 'SELECT ', 'SELECT v FROM ', 'SELECT v FROM m WHERE ', `SELECT '`]) {
      const [small, large] = [2_000, 4_000].map((n) => stepsFor(head + piece.repeat(n)));
      assert.ok(
        (large ?? 0) <= 2.1 * (small ?? 0) + 100,
        `${head}${piece}: ${small ?? 0}, ${large ?? 0}`,
      );
    }
  }
});

/** Characters lexed, with repetitions, until the end or the first error. */
function stepsFor(text: string): number {
  const cursor = new Cursor(text, new Map());
  try {
    parseBatch(cursor);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
  }
  return cursor.steps;
}
