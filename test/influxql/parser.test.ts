import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { MAX_DEPTH } from '../../src/influxql/cursor.ts';
import { MAX_QUERY_LENGTH, MAX_STATEMENTS, parseQuery } from '../../src/influxql/parser.ts';
import { all } from './support.ts';

test('types, effects and slices of a batch', () => {
  const check = (q: string, ...expected: string[]): void => {
    const found = all(q).map((s) => `${s.type}, ${s.effect}: ${q.slice(s.start, s.end)}`);
    assert.deepEqual(found, expected, q);
  };

  check('');
  check(' ;; -- x\n; /* y */');
  check('SELECT v FROM m;', 'select, read: SELECT v FROM m');
  check(
    ' SELECT v FROM m ;\r\n\tDROP DATABASE x -- y',
    'select, read: SELECT v FROM m',
    'drop database, ddl: DROP DATABASE x',
  );
  check(`/* ; */ SHOW TAG KEYS FROM "a;b"`, `show tag keys, meta-read: SHOW TAG KEYS FROM "a;b"`);
  check(`SELECT v FROM m WHERE a = 'x;y' --;\n`, `select, read: SELECT v FROM m WHERE a = 'x;y'`);

  // The lexer traps: what looks like one statement is two, what looks like two is one.
  check(
    String.raw`SELECT v FROM m WHERE h = 'it\'s'; DROP DATABASE x --'`,
    String.raw`select, read: SELECT v FROM m WHERE h = 'it\'s'`,
    'drop database, ddl: DROP DATABASE x',
  );
  check(
    'SELECT a / b FROM m; DROP DATABASE x; SELECT c / d FROM m',
    'select, read: SELECT a / b FROM m',
    'drop database, ddl: DROP DATABASE x',
    'select, read: SELECT c / d FROM m',
  );
  check('/* /* */ DROP DATABASE x -- */', 'drop database, ddl: DROP DATABASE x');
  check(
    String.raw`SELECT v FROM m WHERE h =~ /\\/; DROP DATABASE x -- /`,
    String.raw`select, read: SELECT v FROM m WHERE h =~ /\\/; DROP DATABASE x -- /`,
  );
  check(
    String.raw`SELECT v FROM "a\"; DROP DATABASE x --"`,
    String.raw`select, read: SELECT v FROM "a\"; DROP DATABASE x --"`,
  );

  // INTO writes at the top level only.
  check('SELECT v INTO t FROM m', 'select into, write: SELECT v INTO t FROM m');
  check('SELECT *INTO t FROM m', 'select into, write: SELECT *INTO t FROM m');
  check('SELECT "into" FROM m', 'select, read: SELECT "into" FROM m');
  check(
    'SELECT v FROM (SELECT v INTO t FROM m)',
    'select, read: SELECT v FROM (SELECT v INTO t FROM m)',
  );
  check('EXPLAIN SELECT v INTO t FROM m', 'explain, read: EXPLAIN SELECT v INTO t FROM m');
  check(
    'EXPLAIN ANALYZE SELECT v FROM m',
    'explain analyze, read: EXPLAIN ANALYZE SELECT v FROM m',
  );

  check('SHOW SERIES EXACT FROM m', 'show series, meta-read: SHOW SERIES EXACT FROM m');
  check(
    'GRANT ALL TO u; REVOKE READ ON d FROM u',
    'grant admin, admin: GRANT ALL TO u',
    'revoke, admin: REVOKE READ ON d FROM u',
  );
});

test('errors', () => {
  const check = (q: string, error: string): void => {
    assert.deepEqual(parseQuery(q), { ok: false, error }, q);
  };

  check('SELECT', 'found EOF, expected identifier, string, number, bool at line 1, char 8');
  check('SELECT v FROM', 'found EOF, expected identifier at line 1, char 15');
  check(
    'SELECT v FROM m WHERE a = "x',
    'found x, expected identifier, string, number, bool at line 1, char 26',
  );
  check('SELECT v\nFROM m LIMIT x', 'found x, expected integer at line 2, char 14');
  check('SELECT v FROM m x', 'found x, expected ; at line 1, char 17');
  check(
    'SELECT v = 1 FROM m',
    'invalid operator = in SELECT clause at line 1, char 8; operator is intended for WHERE clause',
  );
  check('SELECT -9223372036854775809 FROM m', 'constant -9223372036854775809 underflows int64');
  check('DELETE FROM db..m', 'database not supported at line 1, char 1');
  check('SELECT v FROM m WHERE a = $x', 'missing parameter: x');
});

test('no text is too large, too long or too deep to be answered', () => {
  const check = (q: string, error: RegExp | undefined): void => {
    const result = parseQuery(q);
    if (error === undefined) assert.ok(result.ok, result.ok ? '' : result.error);
    else assert.match(result.ok ? '' : result.error, error);
  };
  const nest = (open: string, inner: string, close: string, depth: number): string =>
    open.repeat(depth) + inner + close.repeat(depth);

  check(' '.repeat(MAX_QUERY_LENGTH), undefined);
  check(' '.repeat(MAX_QUERY_LENGTH + 1), /too long/);
  check(';'.repeat(MAX_QUERY_LENGTH), undefined);
  check('SHOW QUERIES;'.repeat(MAX_STATEMENTS), undefined);
  check('SHOW QUERIES;'.repeat(MAX_STATEMENTS + 1), /too many statements/);

  check(`SELECT ${nest('(', 'v', ')', MAX_DEPTH)} FROM m`, undefined);
  for (const depth of [MAX_DEPTH + 1, 5_000, 15_000]) {
    check(`SELECT ${nest('(', 'v', ')', depth)} FROM m`, /nested too deeply/);
    check(`SELECT ${nest('f(', 'v', ')', depth)} FROM m`, /nested too deeply/);
    check(nest('SELECT v FROM (', 'SELECT v FROM m', ')', depth), /nested too deeply/);
    check(`SELECT v FROM m WHERE ${'('.repeat(depth)}`, /nested too deeply/);
  }
  check(`SELECT ${'-'.repeat(3)} v FROM m`, /found EOF/);
  check(`SELECT 1${' + 1'.repeat(60_000)} FROM m`, undefined);
});

test('text that no server would read the same way is refused', () => {
  const check = (q: string, params?: unknown): void => {
    assert.equal(parseQuery(q, params).ok, false, JSON.stringify([q, params]));
  };

  check('DR\0OP DATABASE x');
  check('SELECT v FROM "\ud800"');
  check('SELECT v FROM $m', { m: { identifier: 'a\0b' } });
  check('SELECT v FROM $m', { m: { identifier: '\udc00' } });
  check('SELECT v FROM m', { 'm\0': 1 });
});

test('an error does not repeat all of a long text', () => {
  const result = parseQuery(`SELECT v FROM m '${'x'.repeat(100_000)}'`);
  assert.ok(!result.ok && result.error.length < 1_100);
  assert.match(result.error, /^found xxx.*\.\.\..*, expected ; at line 1, char 16$/);
});
