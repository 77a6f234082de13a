import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseParameters, trimSpace } from '../../src/http/parameters.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

test('parameters are read by the rules of the net/url package of Go', () => {
  const check = (text: string, expected: Record<string, string>): void => {
    assert.deepEqual(Object.fromEntries(parseParameters(text)), expected, text);
  };

  check('', {});
  check('a=1', { a: '1' });
  check('a=1&b=2', { a: '1', b: '2' });
  check('a', { a: '' });
  check('a=', { a: '' });
  check('=1', { '': '1' });
  check('&&a=1&', { a: '1' });
  check('a=1=2', { a: '1=2' });

  // The first value of a name counts, also when it is empty.
  check('q=first&q=second', { q: 'first' });
  check('q=&q=second', { q: '' });

  // Names are case-sensitive.
  check('Q=1&q=2', { Q: '1', q: '2' });

  // Escapes
  check('a=x+y%20z%2B', { a: 'x y z+' });
  check('a+b=1', { 'a b': '1' });
  check('a=%3d%3D%26', { a: '==&' });
  check('%71=1', { q: '1' });
  check('a=%C3%A4', { a: 'ä' });
  check('a=ä%20ö', { a: 'ä ö' });
  check('a=%00', { a: '\0' });
  check('a=%0A', { a: '\n' });
  check('a=%u0041', {});

  // A broken escape drops its pair and no other one.
  check('a=%', {});
  check('a=%2', {});
  check('a=%zz&b=2', { b: '2' });
  check('%zz=1&b=2', { b: '2' });
  check('q=%zz&q=2', { q: '2' });
  check('a=100%&b=2', { b: '2' });

  // So does a raw semicolon, which older versions of Go take for `&`; an escaped one is data.
  check('a=1;b=2', {});
  check('a=1;b=2&c=3', { c: '3' });
  check('q=SELECT+1;DROP+DATABASE+x&db=d', { db: 'd' });
  check('a=1%3Bb=2', { a: '1;b=2' });
  check(';', {});

  // Bytes that are not UTF-8
  check('a=%ff', { a: '\ufffd' });
  check('a=%C3x', { a: '\ufffdx' });

  // What every JavaScript object has
  check('constructor=1&toString=2', { constructor: '1', toString: '2' });
  assert.equal(parseParameters('').get('constructor'), undefined);
  assert.equal(parseParameters('__proto__=1').get('__proto__'), '1');
});

test('whatever was encoded is decoded to the same', () => {
  const pairs = fc.uniqueArray(
    fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })),
    { selector: ([name]) => name, maxLength: 8 },
  );
  fc.assert(
    fc.property(pairs, (given) => {
      assert.deepEqual([...parseParameters(new URLSearchParams(given).toString())], given);
    }),
  );
});

test('any text is read without a fault', () => {
  const piece = fc.constantFrom('%', '&', '=', ';', '+', 'q', '2', 'f', '%zz', '%41', 'ä', '\0');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      for (const name of parseParameters(pieces.join('')).keys()) assert.ok(!name.includes('&'));
    }),
  );
});

test('q is trimmed as Go does, not as JavaScript does', () => {
  const check = (text: string, expected: string): void => {
    assert.equal(trimSpace(text), expected, JSON.stringify(text));
  };

  check('', '');
  check('a', 'a');
  check(' \t\n\v\f\r a b \t\n\v\f\r ', 'a b');
  check('\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000a\u3000', 'a');
  check(' \x85 ', '');

  // A byte order mark is no blank to Go; neither are these.
  check('\ufeffa\ufeff', '\ufeffa\ufeff');
  check('\u200ba\u180e', '\u200ba\u180e');
  check('\0a', '\0a');
});

test('a megabyte of blanks within a query costs no more than its length', () => {
  const text = `a${' '.repeat(2 ** 20)}b`;
  const ms = cpuMsOf(() => {
    assert.equal(trimSpace(` ${text} `), text);
  });
  // Quadratic time would be an hour.
  assert.ok(ms < 1000, `${ms} ms`);
});
