import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseDuration, parseInt64, parseUint64 } from '../../src/influxql/numbers.ts';
import { regexpProblem } from '../../src/influxql/regexp.ts';

test('parseDuration', () => {
  const check = (text: string, expected: bigint | string): void => {
    const result = parseDuration(text);
    assert.equal(result.ok ? result.nanoseconds : result.error, expected, text);
  };

  check('1ns', 1n);
  check('1u', 1_000n);
  check('1\u00b5', 1_000n);
  check('1ms', 1_000_000n);
  check('1h30m', 5_400_000_000_000n);
  check('1w1d', 691_200_000_000_000n);
  check('-5ns', -5n);
  check('0001s', 1_000_000_000n);

  check('', 'invalid duration');
  check('1', 'invalid duration');
  check('1y', 'invalid duration');
  check('1M', 'invalid duration');
  check('10us', 'invalid duration');
  check('10\u00b5s', 'invalid duration');
  check('1n', 'invalid duration');
  check('h', 'invalid duration');
  check('99999999999999999999s', 'invalid duration');
  check('9999999999w', 'overflowed duration 9999999999w: choose a smaller duration or INF');
});

test('64-bit integers', () => {
  assert.equal(parseInt64('9223372036854775807'), 2n ** 63n - 1n);
  assert.equal(parseInt64('9223372036854775808'), undefined);
  assert.equal(parseUint64('18446744073709551615'), 2n ** 64n - 1n);
  assert.equal(parseUint64('18446744073709551616'), undefined);
  assert.equal(parseUint64('0'.repeat(1000) + '7'), 7n);
});

test('regexpProblem', () => {
  const check = (pattern: string, wrong: boolean): void => {
    assert.equal(regexpProblem(pattern) !== undefined, wrong, pattern);
  };

  check('', false);
  check('^cpu.*$', false);
  check('(a|b)+?(?:c)(?P<n>d)(?<m>e)(?i)f(?i:g)', false);
  check('[]a][^]b][[:alpha:]-z][[:][\\]]', false);
  check('a{2}b{2,}c{0,1000}{,3}{x', false);
  check(String.raw`\Q(*[\E\pL\x{41}`, false);
  check(String.raw`\Q(*[`, false);

  check('*', true);
  check('a|*', true);
  check('(+a)', true);
  check('{2}', true);
  check('a{1001}', true);
  check('(a', true);
  check('a)', true);
  check('[a', true);
  check('[]', true);
  check('(?=a)', true);
  check('(?<!a)', true);
  check(String.raw`(a)\1`, true);
  check('a\\', true);
});
