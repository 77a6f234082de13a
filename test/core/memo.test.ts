import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Memo } from '../../src/core/memo.ts';

test('what was made of a short text is made once, and each text has its own', () => {
  const memo = new Memo<string>();
  const made: string[] = [];
  const of = (text: string): string =>
    memo.of(text, () => {
      made.push(text);
      return text.toUpperCase();
    });
  assert.deepEqual(['a', 'b', 'a', 'b'].map(of), ['A', 'B', 'A', 'B']);
  assert.deepEqual(made, ['a', 'b']);

  const long = 'x'.repeat(513);
  assert.deepEqual([long, long].map(of), [long.toUpperCase(), long.toUpperCase()]);
  assert.equal(made.length, 4);
});

test('what cannot be made is not kept', () => {
  const memo = new Memo<number>();
  const fail = (): number => {
    throw new Error('no');
  };
  assert.throws(() => memo.of('a', fail), /no/);
  assert.equal(
    memo.of('a', () => 1),
    1,
  );
});

test('few are kept: texts that never come again take no memory', () => {
  const memo = new Memo<number>();
  for (let at = 0; at < 300; at++) memo.of(`${at}`, () => at);
  assert.equal(
    memo.of('299', () => -1),
    299,
  );
  assert.equal(
    memo.of('0', () => -1),
    -1,
  );
});
