import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { measurementName } from '../../src/lineprotocol/measurement.ts';

test('measurementName undoes the escapes that SHOW MEASUREMENTS of influxd 1.6.7 undoes (W4)', () => {
  const check = (escaped: string, expected: string): void => {
    const body = Buffer.from(`before ${escaped},after`);
    assert.equal(measurementName(body, 7, body.length - 6), expected, escaped);
  };

  check('cpu', 'cpu');
  check('température', 'température');
  check('', '');

  check('c\\,p\\ u', 'c,p u');
  check('c\\=p\\"u', 'c=p"u');
  check('\\ \\,', ' ,');

  // A backslash before anything else is part of the name.
  check('a\\b', 'a\\b');
  check('a\\\\b', 'a\\\\b');
  check('a\\', 'a\\');
  check('a\\\n', 'a\\\n');
  check('\\', '\\');

  // Escapes are undone twice.
  check('a\\\\,b', 'a,b');
  check('a\\\\\\,b', 'a\\,b');
  check('a\\\\ b', 'a b');
  check('a\\\\=b', 'a=b');
  check('a\\\\"b', 'a"b');

  // Blanks before the measurement are not part of it.
  check(' \tcpu', 'cpu');
});

test('measurementName replaces what is no UTF-8', () => {
  assert.equal(measurementName(Buffer.from([0x61, 0xff, 0x62]), 0, 3), 'a\ufffdb');
});
