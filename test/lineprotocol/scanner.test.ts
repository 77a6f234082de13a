import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { cpuMsOf } from '../support/cpu-time.ts';
import { collect, pointTexts } from './collect.ts';

test('a body is split where InfluxDB splits it (W5)', () => {
  const check = (body: string, ...expected: string[]): void => {
    assert.deepEqual(pointTexts(Buffer.from(body, 'latin1')), expected, JSON.stringify(body));
  };

  check('');
  check('a v=1', 'a v=1');
  check('a v=1\n', 'a v=1');
  check('a v=1\nb v=2', 'a v=1', 'b v=2');

  // Skipped
  check('\n\n');
  check(' \t\0\n');
  check('# a comment\na v=1', 'a v=1');
  check(' \t# a comment v=1\na v=1', 'a v=1');
  check('a v=1\n\n\nb v=2\n\n', 'a v=1', 'b v=2');

  // Blanks around
  check(' \t\0a v=1', 'a v=1');
  check('a   v=1   7  \nb v=2', 'a   v=1   7  ', 'b v=2');

  // Newlines within a string
  check('a v="x\ny"\nb v=2', 'a v="x\ny"', 'b v=2');
  check('a v="x\\"\ny"\nb v=2', 'a v="x\\"\ny"', 'b v=2');
  check('a v="x\\\\"\nb v=2', 'a v="x\\\\"', 'b v=2');
  check('a f="\n",g="\n\n",h=1 5\nb v=2', 'a f="\n",g="\n\n",h=1 5', 'b v=2');

  // A quote elsewhere is a byte like any other.
  check('a"b v=1\nc v=2', 'a"b v=1', 'c v=2');
  check('a,t="x v=1\nc v=2', 'a,t="x v=1', 'c v=2');
  check('a "f=1\nc v=2', 'a "f=1', 'c v=2');
  check('a f=1,"g=2\nc v=2', 'a f=1,"g=2', 'c v=2');

  // An escaped newline does not end the line, and is dropped at its end.
  check('a\\\nb v=1\nc v=2', 'a\\\nb v=1', 'c v=2');
  check('a,t=x\\\ny v=1\nc v=2', 'a,t=x\\\ny v=1', 'c v=2');

  // A comment can hold a quote, with all that follows from it.
  check('# a="b\nc v=1\n# d"\ne v=2', 'e v=2');
  check('# a\\\nc v=1\ne v=2', 'e v=2');
});

test('an unbalanced quote swallows the lines that follow into one error', () => {
  const body = Buffer.from('a v=1\nb v="x\nc v=1\nd v=1');
  const { points, invalid } = collect(body);
  assert.equal(points.length, 1);
  assert.deepEqual(invalid, [{ start: 6, end: body.length, reason: 'unbalanced quotes' }]);
});

test('measurementEnd is the offset of the separator after the measurement', () => {
  const check = (line: string, expected: number): void => {
    const { points } = collect(Buffer.from(line));
    assert.deepEqual(
      points.map(({ start, measurementEnd }) => measurementEnd - start),
      [expected],
      line,
    );
  };

  check('cpu v=1', 3);
  check('cpu,host=a v=1', 3);
  check('  cpu,host=a v=1', 3);
  check('c=p"u v=1', 5);

  // Escaped iff the byte before is a backslash, doubled or not.
  check('c\\,p\\ u v=1', 7);
  check('cpu\\\\,host=a v=1', 12);
  check('\\, v=1', 2);
  check('\\  v=1', 2);
});

test('timed says whether there is a timestamp (D20)', () => {
  const check = (line: string, expected: boolean): void => {
    assert.deepEqual(
      collect(Buffer.from(line)).points.map(({ timed }) => timed),
      [expected],
      line,
    );
  };

  check('m v=1', false);
  check('m v=1 ', false);
  check('m v=1 \t', false);
  check('m v="a 1"', false);
  check('m v="a" ', false);
  check('m\\ 1 v=1', false);

  check('m v=1 1', true);
  check('m v=1   1', true);
  check('m v=1 \t1', true);
  check('m v=1 -1', true); // a negative one, too: it must not get a second
  check('m v=1 0', true);
  check('m v="a" 1 ', true);
});

test('a line that cannot be sent on without harm to its neighbour is refused', () => {
  const check = (body: string, line: string, reason: string): void => {
    const bytes = Buffer.from(body);
    const { points, invalid } = collect(bytes);
    assert.equal(points.length, 0, body);
    assert.equal(bytes.toString('utf8', invalid[0]?.start, invalid[0]?.end), line, body);
    assert.equal(invalid[0]?.reason, reason, body);
  };

  // InfluxDB takes them as the last of a body, or before an empty line.
  check('m v="a"\\', 'm v="a"\\', 'invalid field format');
  check('m v="a"\\\n', 'm v="a"\\', 'invalid field format');
  check('m v="a"\\\n\n', 'm v="a"\\', 'invalid field format');

  // What follows the newline is ignored there, but the quote before it would swallow the next line.
  check('m\\\\ ="a v=1 \nn v=1"', 'm\\\\ ="a v=1 \nn v=1"', 'unbalanced quotes');
});

test('a line that is one line only with its leading blank keeps it', () => {
  const body = Buffer.from(' m="a\nb" v=1\nn v=1');
  const { points } = collect(body);
  assert.deepEqual(points, [
    { start: 0, measurementEnd: 8, end: 12, timed: false },
    { start: 13, measurementEnd: 14, end: 18, timed: false },
  ]);
});

test('what InfluxDB ignores after a newline in the place of a timestamp is not sent on', () => {
  const { points } = collect(Buffer.from(' m="a v=1 \nb"'));
  assert.deepEqual(points, [{ start: 1, measurementEnd: 5, end: 10, timed: false }]);
});

test('hostile bodies take time in proportion to their size', () => {
  const size = 1_000_000;
  const check = (name: string, body: string): void => {
    const ms = cpuMsOf(() => {
      collect(Buffer.from(body, 'latin1'));
    });
    assert.ok(ms < 2000, `${name}: ${ms} ms`);
  };

  check('newlines', '\n'.repeat(size));
  check('backslashes', '\\'.repeat(size));
  check('quotes', 'm v="'.repeat(size / 5));
  check('quoted lines cut short', 'm v="\n'.repeat(size / 6));
  check('quoted lines with a late backslash', 'm v="a\n'.repeat(size / 7) + '\\');
  check('commas', `m${','.repeat(size)}`);
  check('an endless integer', `m v=${'9'.repeat(size)}i`);
  check('an endless float', `m v=${'9'.repeat(size)}.5`);
  check('an endless timestamp', `m v=1 ${'9'.repeat(size)}`);
  check('zeros as a timestamp', `m v=1 ${'0'.repeat(size)}`);

  const numbers = Array.from({ length: size / 10 }, (_, index) => index);
  check('many tags', `m${numbers.map((n) => `,t${n}=1`).join('')} v=1`);
  check('many tags, unsorted', `m${numbers.map((n) => `,t${size - n}=1`).join('')} v=1`);
  check('many fields', `m ${numbers.map((n) => `f${n}=1`).join(',')}`);
});
