import { strict as assert } from 'node:assert';
import { test } from 'node:test';
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

test('calls, rows, order, zone', () => {
  const nested = one(
    `SELECT MEAN(f(v)) FROM (SELECT max(w), * FROM m ORDER BY time DESC) ORDER BY DESC TZ('UTC')`,
  );
  assert.deepEqual([...nested.calls].sort(), ['f', 'mean']);
  assert.equal(nested.raw, false);
  assert.equal(nested.descending, true);
  assert.equal(nested.timezone, 'UTC');
  assert.deepEqual(
    nested.subqueries.map(({ calls, raw }) => [calls, raw]),
    [[['max'], false]],
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
