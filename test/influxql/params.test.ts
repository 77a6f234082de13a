import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseQuery } from '../../src/influxql/parser.ts';

test('parameters stand for one token', () => {
  const check = (q: string, params: unknown, expected: string): void => {
    const result = parseQuery(q, params);
    const [statement] = result.ok ? result.statements : [];
    const sources = statement?.sources.map(
      ({ db, rp, name, regex }) =>
        `${db?.value ?? ''}|${rp?.value ?? ''}|${name ?? `/${regex ?? ''}/`}`,
    );
    const found = result.ok ? `${statement?.type ?? ''} ${sources?.join(' ') ?? ''}` : result.error;
    assert.equal(found, expected, `${q} ${JSON.stringify(params)}`);
  };

  check('SELECT v FROM $m', { m: { identifier: 'cpu' } }, 'select ||cpu');
  check(
    'SELECT v FROM $m',
    { m: { ident: 'a; DROP DATABASE "x"' } },
    'select ||a; DROP DATABASE "x"',
  );
  check(
    'SELECT v FROM $d.$r.$m',
    { d: { ident: 'd' }, r: { ident: 'r' }, m: { ident: 'm' } },
    'select d|r|m',
  );
  check('SELECT v FROM $m', { m: { regex: 'c.*' } }, 'select ||/c.*/');
  check('SELECT v FROM a$m$f(0)', { m: { regex: 'c' }, f: { ident: 'fill' } }, 'select |a|/c/');
  check('SELECT v FROM $from', { from: { ident: 'm' } }, 'select ||m');
  check('SELECT v FROM $"x y"', { 'x y': { ident: 'm' } }, 'select ||m');
  check('SELECT v FROM m LIMIT $n', { n: 5 }, 'select ||m');
  check('SELECT v FROM m WHERE a = $x AND b = $y', { x: true, y: 1.5 }, 'select ||m');
  check('SELECT v FROM m WHERE time > now() - $d', { d: { duration: '1h' } }, 'select ||m');
  check('SELECT v FROM m WHERE time > now() - $d', { d: { duration: 60 } }, 'select ||m');
  check(`SELECT v FROM "$m" WHERE a = '$x' AND b =~ /$y/`, {}, 'select ||$m');
  check('DROP MEASUREMENT $m', { m: { ident: 'm' } }, 'drop measurement ||m');

  check('SELECT v FROM m LIMIT $n', { n: { integer: 5 } }, 'select ||m');
  check('SELECT v FROM m WHERE a = $x', { x: { float: 1.5 } }, 'select ||m');

  // Never a keyword, never more than a token
  check(
    '$s v FROM m',
    { s: { ident: 'SELECT' } },
    'found SELECT, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL at line 1, char 1',
  );
  check(
    'SELECT v $i t FROM m',
    { i: { ident: 'INTO' } },
    'found INTO, expected FROM at line 1, char 10',
  );

  // What cannot be bound
  check('SELECT v FROM m LIMIT $n', { n: '5' }, 'found 5, expected integer at line 1, char 23');
  check('SELECT v FROM m LIMIT $n', { n: -5 }, 'LIMIT must be >= 0 at line 1, char 23');
  check('SELECT v FROM $m', {}, 'found $m, expected identifier at line 1, char 15');
  check('SELECT v FROM m WHERE a = $toString', {}, 'missing parameter: toString');
  check('SELECT v FROM m WHERE a = $', { '': 1 }, 'empty bound parameter');
  check(
    'SELECT v FROM m WHERE a = $x',
    { x: { foo: 1 } },
    'missing parameter: unknown bind object type: foo',
  );
  check(
    'SELECT v FROM m WHERE a = $x',
    { x: { string: 's', int: 1 } },
    'missing parameter: bound object parameter value must have exactly one entry',
  );
  check(
    'SELECT v FROM m WHERE a = $x',
    { x: { string: 1 } },
    'missing parameter: string literal must be a string value',
  );
  check('SELECT v FROM m WHERE a = $x', { x: { duration: '1y' } }, 'invalid duration');
  check(
    'SELECT v FROM m LIMIT $n',
    { n: { integer: 1.5 } },
    'found integer literal must be an integer value, expected integer at line 1, char 23',
  );
  check('SELECT v FROM m', [1], 'params must be a JSON object');
  check('SELECT v FROM m', null, 'select ||m');
});

test('a parameter named like a part of every object is an ordinary one', () => {
  const params: unknown = JSON.parse('{"__proto__": {"identifier": "m"}}');
  const result = parseQuery('SELECT v FROM $__proto__', params);
  assert.equal(result.ok && result.statements[0]?.sources[0]?.name, 'm');
});
