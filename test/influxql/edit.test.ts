import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { freezeNow, lift, quoteIdentifier, rename, sliceOf } from '../../src/influxql/edit.ts';
import { databasesOf } from '../../src/influxql/statement.ts';
import { one } from './support.ts';

test('renaming a database', () => {
  const check = (q: string, expected: string): void => {
    const params = { d: { identifier: 'db' } };
    const statement = one(q, params);
    const edits = databasesOf(statement)
      .filter(({ value }) => value === 'db')
      .map((name) => rename(name, 'new "db"'));
    const slice = sliceOf(q, statement, edits);
    assert.equal(slice, expected.replaceAll('NEW', String.raw`"new \"db\""`), q);
    assert.ok(
      databasesOf(one(slice, params)).every(({ value }) => value !== 'db'),
      slice,
    );
  };

  check('SELECT v FROM m', 'SELECT v FROM m');
  check(' SELECT v FROM db..m; ', 'SELECT v FROM  NEW..m');
  check('SELECT v FROM x"db".rp.m, other..m', 'SELECT v FROM  NEW.rp.m, other..m');
  check(
    'SELECT v INTO db..t FROM(SELECT v FROM db../re/)',
    'SELECT v INTO  NEW..t FROM(SELECT v FROM  NEW../re/)',
  );
  check('SHOW SERIES ON$d FROM$d..m', 'SHOW SERIES ON NEW FROM NEW..m');
  check(`SELECT v FROM m WHERE a = 'db..m'`, `SELECT v FROM m WHERE a = 'db..m'`);
});

test('taking a limit out of force', () => {
  const check = (q: string, expected: string): void => {
    const { limit, offset, ...rest } = one(q);
    const edits = [limit, offset].filter((count) => count !== undefined).map(lift);
    const slice = sliceOf(q, rest, edits);
    assert.equal(slice, expected, q);
    assert.equal(one(slice).limit?.value ?? 0, 0);
    assert.equal(one(slice).offset?.value ?? 0, 0);
  };

  check('SHOW SERIES LIMIT 10 OFFSET 5', 'SHOW SERIES LIMIT  0  OFFSET  0 ');
  check('SHOW SERIES FROM m LIMIT 1/*c*/OFFSET 2', 'SHOW SERIES FROM m LIMIT  0 /*c*/OFFSET  0 ');
});

test('replacing now()', () => {
  const check = (q: string, expected: string): void => {
    const statement = one(q);
    const slice = sliceOf(q, statement, freezeNow(statement, 1_600_000_000_000_000_000n));
    assert.equal(slice, expected.replaceAll('NOW', ' 1600000000000000000 '), q);
    assert.equal(one(slice).nowCalls.length, 0);
  };

  check('DELETE WHERE time<now()-1h', 'DELETE WHERE time<NOW-1h');
  check('DELETE WHERE time>now()AND time<"now"()', 'DELETE WHERE time>NOWAND time<NOW');
});

test('edits that overlap or leave the statement are a bug', () => {
  const statement = one('SHOW SERIES');
  assert.throws(() => sliceOf('SHOW SERIES', statement, [{ start: 5, end: 20, text: '' }]), /BUG/);
});

test('quoteIdentifier', () => {
  const check = (name: string, expected: string): void => {
    assert.equal(quoteIdentifier(name), expected);
    assert.equal(one(`SELECT v FROM ${expected}`).sources[0]?.name, name);
  };

  check('cpu', '"cpu"');
  check('a"b', String.raw`"a\"b"`);
  check('a\\', String.raw`"a\\"`);
  check('a\nb', String.raw`"a\nb"`);
  check(`a'; DROP DATABASE x --`, `"a'; DROP DATABASE x --"`);
  assert.throws(() => quoteIdentifier('a\rb'), /BUG/);
});
