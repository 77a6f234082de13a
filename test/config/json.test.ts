import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonSyntaxError, parseJson } from '../../src/config/json.ts';

test('a fault is named by line, column and one character', () => {
  const check = (text: string, expected: string): void => {
    assert.throws(
      () => parseJson(text),
      (error) => error instanceof JsonSyntaxError && error.message === expected,
      `${text}: ${expected}`,
    );
  };

  check('', 'line 1, column 1: found the end of the file, expected a value');
  check('{\n  "a": 1\n', 'line 3, column 1: found the end of the file, expected "," or "}"');
  check('{\r\n  "a" 1}', 'line 2, column 7: found "1", expected ":"');
  check('{"a": 1} x', 'line 1, column 10: found "x", expected the end of the file');

  // What people write.
  check('{"a": 1,}', 'line 1, column 9: found "}", expected a key in double quotes');
  check('[1, 2,]', 'line 1, column 7: found "]", expected a value');
  check('[1 2]', 'line 1, column 4: found "2", expected "," or "]"');
  check('{a: 1}', 'line 1, column 2: found "a", expected a key in double quotes');
  check("['a']", `line 1, column 2: found "'", expected a value`);
  check('// a', 'line 1, column 1: found "/", expected a value');
  check('[True]', 'line 1, column 2: found "T", expected a value');
  check('[01]', 'line 1, column 3: found "1", expected "," or "]"');
  check('[\u{1f600}]', 'line 1, column 2: found "\u{1f600}", expected a value');

  const whole = 'expected a string that ends on its line and has only valid escapes';
  check('["a]', `line 1, column 2: found "\\"", ${whole}`);
  check('["a\nb"]', `line 1, column 2: found "\\"", ${whole}`);
  check('["C:\\data"]', `line 1, column 2: found "\\"", ${whole}`);
});

test('a key that its object already has is reported with its line', () => {
  const check = (
    text: string,
    ...expected: { path: (string | number)[]; line: number }[]
  ): void => {
    assert.deepEqual(parseJson(text).duplicates, expected, text);
  };

  check('{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}], "d": ["a", "a"]}');
  check('{"a": 1,\n "a": 1}', { path: ['a'], line: 2 });
  check('{"a": 1,\n "\\u0061": 2,\n "a": 3}', { path: ['a'], line: 2 }, { path: ['a'], line: 3 });
  check('{"k": [0, {"cpu": 1, "cpu": 2}]}', { path: ['k', 1, 'cpu'], line: 1 });
  check('{"__proto__": 1, "__proto__": 2}', { path: ['__proto__'], line: 1 });
  check('{"constructor": 1}');
});

test('the scanner accepts what JSON.parse accepts, and nothing else', () => {
  const valueOf = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return JsonSyntaxError;
    }
  };
  const ourValueOf = (text: string): unknown => {
    try {
      return parseJson(text).value;
    } catch (error) {
      assert.ok(error instanceof JsonSyntaxError, String(error));
      return JsonSyntaxError;
    }
  };
  const runs = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2_000) };

  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (json, at, inserted) => {
      const cut = at % (json.length + 1);
      for (const text of [
        json,
        json.slice(0, cut),
        json.slice(0, cut) + inserted + json.slice(cut),
      ])
        assert.deepEqual(ourValueOf(text), valueOf(text), text);
    }),
    runs,
  );

  const token = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"',
    '\\',
    '-',
    '0',
    '1',
    '.',
    'e',
    '+',
    'true',
    'null',
    ' ',
    '\n',
    '\t',
    '\f',
    '\u00a0',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      assert.deepEqual(ourValueOf(tokens.join('')), valueOf(tokens.join('')), tokens.join(''));
    }),
    runs,
  );
});
