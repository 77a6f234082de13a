import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Precision } from '../../src/lineprotocol/precision.ts';
import { collect } from './collect.ts';

/** Asserts that the line is valid. */
function accept(line: string | Buffer, precision: Precision = 'ns'): void {
  const { points, invalid } = collect(Buffer.from(line), precision);
  assert.deepEqual(invalid, [], String(line));
  assert.equal(points.length, 1, String(line));
}

/** Asserts that the line, all of it, is refused for this reason. */
function refuse(line: string, reason: string, precision: Precision = 'ns'): void {
  const body = Buffer.from(line);
  const { points, invalid } = collect(body, precision);
  assert.deepEqual(points, [], line);
  assert.deepEqual(invalid, [{ start: 0, end: body.length, reason }], line.slice(0, 100));
}

test('measurement and tags', () => {
  accept('m,a=1 v=1');
  accept('m,b=1,a=2 v=1');
  accept('m,a=1,ab=1,aa=1 v=1');
  accept('m,a\\ \\,\\==1\\ \\,\\= v=1');
  accept('m,time=x v=1'); // the database's business
  accept('m,a==x v=1'); // a value may begin with a `=`
  accept('m,a="x v=1');

  refuse(',a=1 v=1', 'missing measurement');
  refuse(', v=1', 'missing measurement');
  refuse('m', 'missing fields');
  refuse('m\\ v=1', 'missing fields');
  refuse('m, v=1', 'missing tag key');
  refuse('m,', 'missing tag key');
  refuse('m,=x v=1', 'missing tag key');
  refuse('m,a=x,,b=x v=1', 'missing tag key');
  refuse('m,a v=1', 'missing tag value');
  refuse('m,a,b=x v=1', 'missing tag value');
  refuse('m,a= v=1', 'missing tag value');
  refuse('m,a=,b=x v=1', 'missing tag value');
  refuse('m,a', 'missing tag value');
  refuse('m,a=', 'missing tag value');
  refuse('m,a=x', 'missing fields');
  refuse('m,a=x\\ v=1', 'invalid tag format'); // the space is part of the value
  refuse('m,a=x=y v=1', 'invalid tag format');
});

test('tags with the same key are refused, however far apart', () => {
  refuse('m,a=1,a=2 v=1', 'duplicate tags');
  refuse('m,b=1,a=1,b=1 v=1', 'duplicate tags');
  refuse('m,a=1,b=1,c=1,a=1 v=1', 'duplicate tags');
  refuse('m,a\\==1,b=1,a\\==1 v=1', 'duplicate tags');
  refuse('m,a2=1,a=2,a2=3 v=1', 'duplicate tags');
  refuse('m,a=1,a=1,ab=2 v=1', 'duplicate tags');

  accept('m,a=1,ab=1 v=1');
  accept('m,ab=1,a=1 v=1');
  accept('m,a\\,=1,a=1 v=1');

  const many = Array.from({ length: 40 }, (_, index) => `t${index}=x`).reverse();
  accept(`m,${many.join(',')} v=1`);
  refuse(`m,${many.join(',')},t17=y v=1`, 'duplicate tags');

  // Found only after all tags have been read.
  refuse('m,a=1,a=2,b v=1', 'missing tag value');
  refuse('m,a=1,a=2', 'missing fields');
  refuse('m,a=1,a=2 v', 'duplicate tags');
});

test('a number of tags that makes InfluxDB panic is refused', () => {
  const tags = (count: number): string =>
    Array.from({ length: count }, (_, index) => `,t${index}=x`).join('');

  for (const count of [100, 200, 400, 800]) {
    accept(`m${tags(count - 1)} v=1`);
    refuse(
      `m${tags(count)} v=1`,
      `a point with exactly ${count} tags makes older versions of InfluxDB fail`,
    );
    accept(`m${tags(count + 1)} v=1`);
  }
});

test('fields', () => {
  accept('m v=1');
  accept('m v=1,w=2i,x=t,y="s"');
  accept('m v=1,v="x"'); // the database's business
  accept('m time=1');
  accept('m a\\ b\\,c\\=d=1');
  accept('m "f"=1');
  accept('m \t\0v=1');
  accept('m f\t=1');

  refuse('m ', 'invalid field format');
  refuse('m v', 'invalid field format');
  refuse('m v 1', 'invalid field format');
  refuse('m v=1,', 'invalid field format');
  refuse('m v=1,w', 'invalid field format');
  refuse('m ,v=1', 'invalid field format');
  refuse('m =1', 'missing field key');
  refuse('m v=1,=2', 'missing field key');
  refuse('m v=', 'missing field value');
  refuse('m v= 1', 'missing field value');
  refuse('m v=,w=1', 'missing field value');

  // What only the second look at the fields finds.
  refuse('m a\\\\=1', 'invalid value: field-key=a\\\\=1');
  refuse('m v="a"=1,b', 'invalid value: field-key=b');
  accept('m v="a"=1,,b=2'); // counts match: InfluxDB takes it
});

test('fields that InfluxDB accepts, then fails to store, are refused', () => {
  // Read once as the string `b,c=d` of the field `a\\`, and once as the field `c` with the value `d"`.
  refuse('m a\\\\="b,c=d"', 'invalid boolean');
  refuse('m a\\\\="b,c=1"', 'invalid number');
  refuse('m a\\\\="b,c="', 'invalid field format');
  refuse('m a\\\\="b=,c="x"y"', 'invalid field format');

  accept('m a\\\\="b,c=t,d="x""');
  refuse('m a\\\\="b,c=d" 1x', 'bad timestamp'); // a fault of the line itself comes first
});

test('strings', () => {
  accept('m v=""');
  accept('m v="a b,c=d"');
  accept('m v="a\\"b"');
  accept('m v="a\\\\"');
  accept('m v="a\nb"');
  accept('m v="a"b"c"');
  accept('m v="a"x'); // stored without its last byte
  accept('m v="a"\r');

  refuse('m v="', 'unbalanced quotes');
  refuse('m v="a', 'unbalanced quotes');
  refuse('m v="a\\"', 'unbalanced quotes');
  refuse('m v="a"b"', 'unbalanced quotes');
  refuse("m v='a'", 'invalid boolean');
});

test('booleans', () => {
  for (const word of ['t', 'T', 'true', 'True', 'TRUE', 'f', 'F', 'false', 'False', 'FALSE']) {
    accept(`m v=${word}`);
    accept(`m v=${word},w=1 1`);
    refuse(`m v=${word}x`, 'invalid boolean');
    refuse(`m v=${word}\r`, 'invalid boolean');
  }

  refuse('m v=tr', 'invalid boolean');
  refuse('m v=tRUE', 'invalid boolean');
  refuse('m v=trueish', 'invalid boolean');
  refuse('m v=x', 'invalid boolean');
  refuse('m v=+1', 'invalid boolean');
  refuse('m v=inf', 'invalid boolean');
  refuse('m v=\\', 'invalid boolean');
});

test('integers', () => {
  accept('m v=0i');
  accept('m v=-1i');
  accept('m v=00012i');
  accept('m v=9223372036854775807i');
  accept('m v=-9223372036854775808i');
  accept('m v=0000000000000000000000009223372036854775807i');

  refuse(
    'm v=9223372036854775808i',
    'unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  refuse(
    'm v=-9223372036854775809i',
    'unable to parse integer -9223372036854775809: strconv.ParseInt: parsing "-9223372036854775809": value out of range',
  );
  refuse('m v=-i', 'invalid number');
  refuse('m v=1ii', 'invalid number');
  refuse('m v=1i1', 'invalid number');
  refuse('m v=1.0i', 'invalid number');
  refuse('m v=1e3i', 'invalid number');
  refuse('m v=1i\r', 'invalid number');
});

test('unsigned integers are left to the backend, which may be a 2.x', () => {
  accept('m v=0u');
  accept('m v=18446744073709551615u');
  accept('m v=00000000000000000000000001u');

  refuse('m v=18446744073709551616u', 'invalid number');
  refuse('m v=-1u', 'invalid number');
  refuse('m v=u', 'invalid boolean');
  refuse('m v=1.5u', 'invalid number');
  refuse('m v=1u1', 'invalid number');

  // 1.x refuses such a line at the unsigned field, before it sees another fault.
  refuse('m v=1u,w=x', 'invalid number');
  refuse('m v=1u x', 'invalid number');
  refuse('m w=x,v=1u', 'invalid boolean');
});

test('floats', () => {
  for (const text of ['1', '-1', '0.5', '.5', '5.', '-.5', '1e3', '1E+3', '1.5e-3', '00.10']) {
    accept(`m v=${text}`);
  }
  accept('m v=1.7976931348623157e308');
  accept('m v=1e-400'); // becomes 0
  accept(`m v=0.${'1'.repeat(1000)}`);
  accept(`m v=${'9'.repeat(308)}`);

  refuse('m v=1e400', 'invalid float');
  refuse('m v=-1.7976931348623159e308', 'invalid float');
  refuse(`m v=${'9'.repeat(309)}`, 'invalid float');
  refuse('m v=1e', 'invalid float');
  refuse('m v=1e+', 'invalid float');
  refuse('m v=.e5', 'invalid float');
  refuse('m v=-e5', 'invalid float');
  refuse('m v=1e5.5', 'invalid float');
  refuse('m v=1e5e5', 'invalid float');

  refuse('m v=.', 'invalid number');
  refuse('m v=-', 'invalid number');
  refuse('m v=-.', 'invalid number');
  refuse('m v=--1', 'invalid number');
  refuse('m v=1-', 'invalid number');
  refuse('m v=1e--5', 'invalid number');
  refuse('m v=1.1.1', 'invalid number');
  refuse('m v=nan', 'invalid number');
  refuse('m v=NaN', 'invalid number');
  refuse('m v=-inf', 'invalid number');
  refuse('m v=0x1', 'invalid number');
  refuse('m v=1_000', 'invalid number');
  refuse('m v=1\r', 'invalid number');
});

test('timestamps must fit the nanoseconds of InfluxDB, in every precision', () => {
  const range = 'time outside range -9223372036854775806 - 9223372036854775806';
  const check = (precision: Precision, largest: bigint): void => {
    accept(`m v=1 ${largest}`, precision);
    accept(`m v=1 -${largest}`, precision);
    accept(`m v=1 000${largest}`, precision);
    refuse(`m v=1 ${largest + 1n}`, range, precision);
    refuse(`m v=1 -${largest + 1n}`, range, precision);
  };

  check('ns', 9223372036854775806n);
  check('u', 9223372036854775n);
  check('ms', 9223372036854n);
  check('s', 9223372036n);
  check('m', 153722867n);
  check('h', 2562047n);
});

test('timestamps', () => {
  accept('m v=1 0');
  accept('m v=1 -0');
  accept('m v=1 1   ');

  refuse('m v=1 1.5', 'bad timestamp');
  refuse('m v=1 x', 'bad timestamp');
  refuse('m v=1 1x', 'bad timestamp');
  refuse('m v=1 +1', 'bad timestamp');
  refuse('m v=1 --1', 'bad timestamp');
  refuse('m v=1 1-', 'bad timestamp');
  refuse('m v=1 1\r', 'bad timestamp');
  refuse('m v=1 1\t', 'bad timestamp');
  refuse('m v=1 w=2', 'bad timestamp');
  refuse('m v=1 1 1', 'point is invalid');
  refuse('m v=1 1 \t', 'point is invalid');
  refuse('m v=1 -', 'strconv.ParseInt: parsing "-": invalid syntax');
  refuse(
    'm v=1 9223372036854775808',
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  refuse(
    'm v=1 -9223372036854775809 x',
    'strconv.ParseInt: parsing "-9223372036854775809": value out of range',
  );
});

test('series keys have a largest size', () => {
  // Measurement and tags, and these with ` ` in place of 4 bytes and the field's key.
  const key = (bytes: number): string => 'm'.repeat(bytes);

  accept(`${key(65530)} v=1`);
  refuse(`${key(65531)} v=1`, 'max key length exceeded: 65536 > 65535');
  accept(`${key(60000)} ${key(5531)}=1`);
  refuse(`${key(60000)} ${key(5532)}=1`, 'max key length exceeded: 65536 > 65535');
  refuse(`${key(60000)} v=1,${key(5532)}=1 x`, 'max key length exceeded: 65536 > 65535');
  refuse(`${key(65535)} v=1`, 'max key length exceeded: 65540 > 65535');
  refuse(`${key(65536)} v=1`, 'max key length exceeded: 65536 > 65535');
  refuse(`${key(65536)} v`, 'max key length exceeded: 65536 > 65535');
  refuse(`m,t=${key(65535)} v=x`, 'max key length exceeded: 65539 > 65535');
  accept(`m v="${key(200_000)}" 1`);
});

test('the first fault in the order of InfluxDB gives the reason', () => {
  refuse('m,a=1,a=2 v=x,w 1x', 'duplicate tags');
  refuse('m v=x,w 1x', 'invalid boolean');
  refuse('m v=1,w 1x', 'invalid field format');
  refuse('m v=1 1x 1', 'bad timestamp');
  refuse(
    'm v=1 9223372036854775807 1',
    'time outside range -9223372036854775806 - 9223372036854775806',
  );
});
