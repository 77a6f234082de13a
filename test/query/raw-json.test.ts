import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { goJson } from '../../src/core/go-json.ts';
import {
  byteString,
  bytesOf,
  itemsOf,
  JsonCursor,
  MalformedAnswer,
  membersOf,
  rawOf,
  textOf,
} from '../../src/query/raw-json.ts';

test('values come as they are written, whatever stands in them', () => {
  const check = (array: string, ...expected: readonly string[]): void => {
    assert.deepEqual(itemsOf(array), expected, array);
  };

  check('[]');
  check('[1]', '1');
  check('[9007199254740993,1e+21,-0.5,1E-7]', '9007199254740993', '1e+21', '-0.5', '1E-7');
  check('[null,true,false]', 'null', 'true', 'false');
  check('["a,b]","\\"","\\\\","\\\\\\"]"]', '"a,b]"', '"\\""', '"\\\\"', '"\\\\\\"]"');
  check('[[1,"]"],{"a":"}"},[]]', '[1,"]"]', '{"a":"}"}', '[]');
  check(' [ 1 , [ 2 ] ] ', '1', '[ 2 ]');
  assert.deepEqual(membersOf('{"a":1,"b\\"":{"c":2}}'), [
    ['"a"', '1'],
    ['"b\\""', '{"c":2}'],
  ]);
});

test('what is no JSON is told from what is', () => {
  for (const text of [
    '',
    '[',
    '[1',
    '[1,',
    '[1,]',
    '{',
    '[1 2]',
    '["a]',
    '["\\"]',
    '[x]',
    '{}',
    '[01a]',
  ]) {
    assert.throws(() => itemsOf(text), MalformedAnswer, text);
  }
  for (const text of ['[] x', '[]]']) {
    const cursor = new JsonCursor(text);
    cursor.raw();
    assert.throws(() => {
      cursor.end();
    }, MalformedAnswer);
  }
});

test('any JSON comes out in the bytes in which it came', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (values) => {
      const written = values.map((value) => byteString(goJson(value)));
      assert.deepEqual(itemsOf(`[${written.join(',')}]`), written);
      const object = byteString(goJson(Object.fromEntries(values.entries())));
      assert.equal(
        `{${membersOf(object)
          .map((member) => member.join(':'))
          .join(',')}}`,
        object,
      );
    }),
  );
});

test('any cut of an answer is noticed', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.nat(), (values, at) => {
      const whole = byteString(goJson(values));
      assert.throws(() => itemsOf(whole.slice(0, at % whole.length)), MalformedAnswer);
    }),
  );
});

test('strings are sorted by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      assert.equal(textOf(rawOf(a)), a);
      const [x, y] = [bytesOf(rawOf(a)), bytesOf(rawOf(b))];
      assert.equal(
        Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
        x < y ? -1 : x > y ? 1 : 0,
      );
    }),
  );
  // In UTF-16 the first would come last.
  assert.ok(bytesOf(rawOf('\uffee')) < bytesOf(rawOf('\u{10000}')));
});
