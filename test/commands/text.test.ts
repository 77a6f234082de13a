import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { printable, table, textOrBase64 } from '../../src/commands/text.ts';

test('a table has columns as wide as their widest cell, numbers to the right', () => {
  const rows = [
    ['a', 5, '-'],
    ['longer', 12345678, 'x'],
  ];
  const text = table(['name', 'count', 'note'], rows);
  assert.equal(text, 'name       count  note\na              5  -\nlonger  12345678  x\n');
  assert.equal(table(['name', 'count'], []), 'name  count\n');
});

test('what is shown on a terminal has no control characters', () => {
  const check = (text: string | Buffer, expected: string): void => {
    assert.equal(printable(text), expected);
  };

  check('cpu,host=é v="a b\\"c" 1', 'cpu,host=é v="a b\\"c" 1');
  check('a\nb\r\tc', 'a\\nb\\r\\tc');
  check('\u001b[2J\u0007\u0000\u007f', '\\x1b[2J\\x07\\x00\\x7f');
  check('\u009b31m', '\\x9b31m'); // what some terminals take for ESC [
  check(Buffer.from([0x61, 0xff]), 'a\ufffd');
});

test('bytes that are not text are not lost in JSON', () => {
  const check = (bytes: readonly (string | number[])[], expected: unknown): void => {
    const buffers = bytes.map((each) => Buffer.from(each as string));
    assert.deepEqual(textOrBase64('lines', buffers), expected);
  };

  check([], { lines: [] });
  check(['é', '\0'], { lines: ['é', '\0'] });
  check(['a', [0xff]], { linesBase64: ['YQ==', '/w=='] });
});
