import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { isAtLeast, lowestVersion } from '../../src/core/version.ts';

test('the lowest version is the one with the lowest numbers', () => {
  const check = (versions: readonly string[], expected: string | undefined): void => {
    assert.equal(lowestVersion(versions), expected, versions.join(' '));
    assert.equal(lowestVersion(versions.toReversed()), expected, versions.join(' '));
  };

  check([], undefined);
  check(['1.8.10'], '1.8.10');
  check(['1.8.10', '1.8.9'], '1.8.9');
  check(['1.10.0', '1.8.10', '1.9.5'], '1.8.10');
  check(['2.0.0', '1.11.8'], '1.11.8');
  check(['1.8', '1.8.1'], '1.8');
  check(['1.7.11', '1.6.7~rc0', '1.12.0-c1'], '1.6.7~rc0');
  check(['v1.8.3', '1.9.0'], 'v1.8.3');

  // What cannot be compared does not count.
  check(['unknown', '1.8.10'], '1.8.10');
  check(['unknown', ''], undefined);
  check(['1', 'x1.2.3'], undefined);
});

test('a version is at least another one by its numbers', () => {
  const check = (version: string, least: string, expected: boolean): void => {
    assert.equal(isAtLeast(version, least), expected, `${version} ${least}`);
  };

  check('1.8.0', '1.8.0', true);
  check('1.8', '1.8.0', true);
  check('1.10.0', '1.8.0', true);
  check('2.0.0', '1.8.0', true);
  check('v1.8.10~rc0', '1.8.0', true);
  check('1.7.11', '1.8.0', false);
  check('0.9.9', '1.8.0', false);
  check('unknown', '1.8.0', false);
});
