import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { NANOSECONDS_PER, type Precision, precisionOf } from '../../src/lineprotocol/precision.ts';

test('precisionOf knows the spellings of InfluxDB 1.x and no other', () => {
  const check = (text: string, expected: Precision | undefined): void => {
    assert.equal(precisionOf(text), expected, text);
  };

  check('', 'ns');
  check('n', 'ns');
  check('ns', 'ns');
  check('u', 'u');
  check('ms', 'ms');
  check('s', 's');
  check('m', 'm');
  check('h', 'h');

  check('us', undefined);
  check('µ', undefined);
  check('S', undefined);
  check(' s', undefined);
  check('d', undefined);
  check('constructor', undefined);
});

test('an hour is 3600 seconds in nanoseconds', () => {
  assert.equal(NANOSECONDS_PER.h, 3600n * NANOSECONDS_PER.s);
  assert.equal(NANOSECONDS_PER.m, 60n * NANOSECONDS_PER.s);
  assert.equal(NANOSECONDS_PER.s, 1000n * NANOSECONDS_PER.ms);
  assert.equal(NANOSECONDS_PER.ms, 1000n * NANOSECONDS_PER.u);
  assert.equal(NANOSECONDS_PER.u, 1000n * NANOSECONDS_PER.ns);
});
