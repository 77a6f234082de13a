import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { levelsOf } from '../../src/influxql/statement.ts';
import { all, one, textOf } from './support.ts';

test('limits and their places', () => {
  const check = (q: string, ...expected: string[]): void => {
    const { limit, offset, slimit, soffset } = one(q);
    const found = [limit, offset, slimit, soffset].map((count) =>
      count === undefined ? '' : `${count.value} ${textOf(q, count)}/${textOf(q, count.digits)}`,
    );
    assert.deepEqual(found, expected, q);
  };

  check('SELECT v FROM m', '', '', '', '');
  check(
    'SELECT v FROM m LIMIT 1 offset\n2 SLIMIT 3 SOFFSET 4',
    ...['1 LIMIT 1/1', '2 offset\n2/2', '3 SLIMIT 3/3', '4 SOFFSET 4/4'],
  );
  check('SHOW SERIES LIMIT 10', '10 LIMIT 10/10', '', '', '');
  check('SELECT v FROM (SELECT v FROM m LIMIT 5)', '', '', '', '');
  check(
    'SELECT v FROM m LIMIT 99999999999999999999',
    `${2 ** 63} LIMIT 99999999999999999999/99999999999999999999`,
    '',
    '',
    '',
  );
});

test('fields', () => {
  const check = (list: string, ...expected: string[]): void => {
    const q = `SELECT ${list} FROM m`;
    const found = one(q).fields.map((field) => {
      return `${field.kind}${field.expands ? '*' : ''} ${textOf(q, field)}`;
    });
    assert.deepEqual(found, expected, q);
  };

  check('*', 'wildcard* *');
  check('*::tag', 'wildcard* *::tag');
  check('/re/', 'regex* /re/');
  check('v, "w x" AS y', 'name v', 'name "w x" AS y');
  check('v::float', 'name v::float');
  check('mean(v)', 'call mean(v)');
  check('count(*)', 'call* count(*)');
  check('max(/re/)', 'call* max(/re/)');
  check('f(g(*))', 'call* f(g(*))');
  check('mean(v) / 2, (v), -v, 1', 'other mean(v) / 2', 'other (v)', 'other -v', 'other 1');
  check('1 + f(*)', 'other* 1 + f(*)');
  check('DISTINCT v', 'other DISTINCT v');
});

test('what stands for several fields, and where', () => {
  const check = (list: string, ...expected: string[]): void => {
    const q = `SELECT ${list} FROM m`;
    const found = one(q).fields.map(({ wildcard, name, start, bodyEnd }) => {
      const body = q.slice(start, bodyEnd);
      if (wildcard === undefined) return `${body} = ${name}`;
      const { takes, call } = wildcard;
      return `${textOf(q, wildcard)} ${takes} ${call ?? '-'} = ${name}`;
    });
    assert.deepEqual(found, expected, q);
  };

  check('*, *::field, *::tag', '* all - = ', '*::field fields - = ', '*::tag tags - = ');
  check('/re/, MAX(/r\\/e/) AS x', '/re/ matches - = ', '/r\\/e/ matches max = x');
  check('derivative(mean( * ), 1s)', '* all mean = derivative');
  // InfluxDB puts names in the place of a field, or of a first argument, alone.
  check('(*), 1 + f(*), f(1, *)', '(*) = ', '1 + f(*) = f', 'f(1, *) = f');
  check('v, w::float AS x, a.b', 'v = v', 'w::float = x', 'a.b = a.b');
  check('a + (f(b) * 2 - "c d"), -v', 'a + (f(b) * 2 - "c d") = a_f_c d', '-v = v');
  check('DISTINCT v, count(DISTINCT v)', 'DISTINCT v = distinct', 'count(DISTINCT v) = count');
});

test('mentions of fields and tags, their types and levels', () => {
  const check = (q: string, ...expected: string[]): void => {
    const statement = one(q);
    const levels = levelsOf(statement);
    const found = statement.references.map((reference) => {
      const { name, type, typeName, distinct, clauses } = reference;
      const whole = distinct === undefined ? '' : ` in ${textOf(q, distinct)}`;
      const text = `${textOf(q, reference)}|${textOf(q, type)}${whole}`;
      return `${levels.indexOf(clauses)} ${name} ${text} ${typeName ?? '-'}`;
    });
    assert.deepEqual(found, expected, q);
  };

  check('SELECT v, f("w x"::Float) FROM m', '0 v v| -', '0 w x "w x"|::Float float');
  check(`SELECT a.b FROM m WHERE h::tag = 'x'`, '0 a.b a.b| -', '0 h h|::tag tag');
  check('SELECT DISTINCT v FROM m', '0 v v| in DISTINCT v -');
  check('SELECT x FROM (SELECT v AS x FROM m), n WHERE x > 1', '1 x x| -', '0 v v| -', '1 x x| -');
  // A dimension is a tag whatever fields there are; fill's word is none.
  check('SELECT f(v) FROM m GROUP BY time(1m), host fill(previous)', '0 v v| -');
});

test('calls, rows, order, zone', () => {
  const nested = one(
    `SELECT MEAN(f(v)) FROM (SELECT max(w), * FROM m ORDER BY time DESC) ORDER BY DESC TZ('UTC')`,
  );
  assert.deepEqual([...nested.calls].sort(), ['f', 'mean']);
  assert.equal(nested.raw, false);
  assert.equal(nested.descending, true);
  assert.equal(nested.timezone, 'UTC');
  assert.deepEqual(
    levelsOf(nested).map(({ calls, raw }) => [calls.length, raw]),
    [
      [1, false],
      [2, false],
    ],
  );

  const plain = one('SELECT v FROM m WHERE f(x) > 1 ORDER BY time ASC');
  assert.deepEqual([plain.calls, plain.raw, plain.descending], [[], true, false]);
});

test('dimensions', () => {
  const check = (list: string, ...expected: string[]): void => {
    const q = `SELECT f(v) FROM m GROUP BY ${list}`;
    const found = one(q).dimensions.map(({ kind, name, interval }) => {
      return [kind, name, interval].filter((part) => part !== undefined).join(' ');
    });
    assert.deepEqual(found, expected, q);
  };

  check('host, "data center"', 'name host', 'name data center');
  check('*', 'wildcard');
  check('/h.*/', 'regex');
  check('time(1m), host fill(none)', 'time 60000000000', 'name host');
  check('time(1h30m, now())', 'time 5400000000000');
  check('host + 1', 'other');
});

test('each now() and its place', () => {
  const check = (q: string, ...expected: string[]): void => {
    assert.deepEqual(
      one(q, { n: { identifier: 'now' } }).nowCalls.map((span) => textOf(q, span)),
      expected,
      q,
    );
  };

  check('DELETE FROM m WHERE time < now() - 1h', 'now()');
  check('DELETE WHERE time > NOW() AND time < "now"( )', 'NOW()', '"now"( )');
  check('DELETE WHERE time < $n()', '$n()');
  check('DELETE WHERE now = 1');
  check(`DELETE WHERE h = 'now()' -- now()`);
  check(
    'SELECT f(v) FROM (SELECT v FROM m WHERE time > now()) GROUP BY time(1d, now())',
    'now()',
    'now()',
  );
});

test('passwords are marked', () => {
  const q = `CREATE USER u WITH PASSWORD 's3cret' WITH ALL PRIVILEGES; SET PASSWORD FOR u = 'other'`;
  assert.deepEqual(
    all(q).flatMap(({ secrets }) => secrets.map((span) => textOf(q, span))),
    [`'s3cret'`, `'other'`],
  );
});
