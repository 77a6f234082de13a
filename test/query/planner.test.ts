import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseQuery } from '../../src/influxql/parser.ts';
import { type Fence, planOf } from '../../src/query/planner.ts';
import { Keymap } from '../../src/routing/keymap.ts';

const keymap = new Keymap({ cpu: ['a'], mem: ['a', 'b'], 'a.b c': ['b'] });
const fence: Fence = { db: 'db', own: '', routeOf: (name) => keymap.routeOf(name) };

/** A plan in one line: `replica a,b`, `refuse: why`, `fail: InfluxDB's words`. */
type Options = Partial<Fence> & { readonly params?: unknown };

function shown(q: string, options: Options = {}): string {
  const parsed = parseQuery(q, options.params);
  if (!parsed.ok) return `unparsable: ${parsed.error}`;
  const plan = planOf(parsed.statements, { ...fence, ...options });
  if (plan.kind === 'refuse') return `refuse: ${plan.reason}`;
  if (plan.kind === 'fail') return `fail: ${plan.error}`;
  return 'route' in plan ? `${plan.kind} ${plan.route.backends.join(',')}` : plan.kind;
}

test('a statement about one measurement goes to the replicas of that measurement', () => {
  const check = (q: string, expected: string): void => {
    assert.equal(shown(q), expected, q);
  };

  check('SELECT * FROM cpu', 'replica a');
  check('SELECT * FROM mem', 'replica a,b');
  check(
    "select max(v) from \"mem\" where h = 'x' group by time(1m), h fill(0) tz('UTC')",
    'replica a,b',
  );
  check('SELECT * FROM "a.b c"', 'replica b');
  check('SELECT * FROM rp.cpu', 'replica a');
  check('SELECT * FROM db.rp.cpu', 'replica a');
  check('SELECT * FROM "db".."cpu"', 'replica a');
  check('SELECT * FROM cpu;', 'replica a');
  check(';;SELECT * FROM cpu;;', 'replica a');
  check('/* x */ SELECT\t*\nFROM\r\ncpu -- INTO t', 'replica a');
  check('SELECT max(v) FROM (SELECT v FROM mem)', 'replica a,b');

  check('SHOW SERIES FROM cpu', 'replica a');
  check('SHOW SERIES ON db FROM cpu', 'replica a');
  check('SHOW TAG KEYS FROM cpu', 'replica a');
  check('SHOW TAG VALUES FROM cpu WITH KEY = h', 'replica a');
  check('SHOW FIELD KEYS FROM cpu', 'replica a');

  check('DELETE FROM mem', 'everywhere a,b');
  check('DELETE FROM mem WHERE time < now() - 1h', 'everywhere a,b');
  check("DROP SERIES FROM mem WHERE h = 'x'", 'everywhere a,b');

  // Words of the language inside names, strings, patterns and comments.
  check('SELECT "into" FROM cpu', 'replica a');
  check('SELECT pointinto FROM cpu', 'replica a');
  check("SELECT v FROM cpu WHERE h = 'a; DROP DATABASE db'", 'replica a');
  check('SELECT v FROM cpu WHERE h =~ /;DROP DATABASE db/', 'replica a');
  check('SELECT v /* INTO t */ FROM cpu', 'replica a');

  // Nothing to do
  check('', 'nothing');
  check(';', 'nothing');
  check('-- nothing', 'nothing');
});

test('everything else is refused with its reason', () => {
  const check = (q: string, reason: string): void => {
    assert.equal(shown(q), `refuse: ${reason}`, q);
  };

  check('SELECT * INTO t FROM cpu', 'SELECT INTO is not supported');
  check('EXPLAIN SELECT * FROM cpu', 'EXPLAIN is not supported');
  check('EXPLAIN ANALYZE SELECT * FROM cpu', 'EXPLAIN ANALYZE is not supported');
  check('DROP MEASUREMENT cpu', 'DROP MEASUREMENT is not supported');
  check('DROP DATABASE db', 'DROP DATABASE is not supported');
  check('SHOW DATABASES', 'SHOW DATABASES is not supported');
  check('SHOW MEASUREMENTS', 'SHOW MEASUREMENTS is not supported');
  check('SHOW SERIES CARDINALITY FROM cpu', 'SHOW SERIES CARDINALITY is not supported');
  check('KILL QUERY 1', 'KILL QUERY is not supported');

  check(
    'SELECT * FROM cpu; SELECT * FROM mem',
    'a request may hold one statement, this one holds 2',
  );
  check(
    'SELECT * FROM cpu; DROP DATABASE db',
    'a request may hold one statement, this one holds 2',
  );

  const one = 'must name exactly one measurement in FROM';
  check('SELECT * FROM cpu, mem', `SELECT ${one}`);
  check('SELECT * FROM cpu, cpu', `SELECT ${one}`);
  check('SELECT * FROM /c.*/', `SELECT ${one}`);
  check('SELECT * FROM db.rp./c.*/', `SELECT ${one}`);
  check('SELECT * FROM cpu, (SELECT * FROM mem)', `SELECT ${one}`);
  check('SHOW TAG KEYS', `SHOW TAG KEYS ${one}`);
  check("SHOW SERIES WHERE h = 'from'", `SHOW SERIES ${one}`);
  check("DELETE WHERE h = 'from'", `DELETE ${one}`);
  check('DELETE FROM /.*/', `DELETE ${one}`);

  check('SELECT * FROM disk', 'no route for measurement "disk"');
  check('SELECT * FROM CPU', 'no route for measurement "CPU"');
  check('SELECT * FROM "a\\"b"', 'no route for measurement "a\\"b"');
});

test('a database that is not the one of the request is refused wherever it is named', () => {
  const refusal = (name: string): string =>
    `refuse: a request with db=db cannot reach database "${name}"`;
  const check = (q: string, name: string, params?: unknown): void => {
    assert.equal(shown(q, { params }), refusal(name), q);
  };

  check('SELECT * FROM other..cpu', 'other');
  check('SELECT * FROM "other"."rp"."cpu"', 'other');
  check('SELECT * FROM DB..cpu', 'DB');
  check('SELECT * FROM "db "..cpu', 'db ');
  check('SELECT * FROM other../c.*/', 'other');
  check('SELECT * FROM (SELECT * FROM other..cpu)', 'other');
  check('SELECT * FROM cpu, other..cpu', 'other');
  check('SELECT * FROM (SELECT * INTO other..t FROM cpu)', 'other');
  check('SELECT * /* FROM db..cpu */ FROM other..cpu', 'other');
  check('SHOW SERIES ON other FROM cpu', 'other');
  check('SHOW SERIES ON db FROM other..cpu', 'other');
  check('SHOW FIELD KEYS ON other FROM db..cpu', 'other');
  check('SHOW TAG VALUES ON "other" FROM cpu WITH KEY = h', 'other');

  check('SELECT * FROM $d..cpu', 'other', { d: { identifier: 'other' } });
  check('SHOW SERIES ON $d FROM cpu', 'other', { d: { identifier: 'other' } });
});

test('a measurement that comes as a parameter is routed by its value', () => {
  const check = (value: unknown, expected: string): void => {
    assert.equal(shown('SELECT * FROM $m', { params: { m: value } }), expected);
  };

  check({ identifier: 'mem' }, 'replica a,b');
  check({ identifier: 'disk' }, 'refuse: no route for measurement "disk"');
  check({ regex: 'cpu' }, 'refuse: SELECT must name exactly one measurement in FROM');
});

test('only a statement that may run needs a database, and gets the words of InfluxDB', () => {
  const check = (q: string, options: Partial<Fence>, expected: string): void => {
    assert.equal(shown(q, options), expected, q);
  };

  check('SELECT * FROM cpu', { db: '' }, 'fail: database name required');
  check('SELECT * FROM db..cpu', { db: '' }, 'fail: database name required');
  check('SELECT * FROM cpu', { db: 'x', own: 'db' }, 'fail: database not found: x');
  check('SELECT * FROM cpu', { db: 'DB', own: 'db' }, 'fail: database not found: DB');
  check('DELETE FROM cpu', { db: 'x', own: 'db' }, 'fail: database not found: x');
  check('SELECT * FROM cpu', { db: 'db', own: 'db' }, 'replica a');
  check('SELECT * FROM x..cpu', { db: 'x' }, 'replica a');

  check('', { db: '' }, 'nothing');
});

test('clients may create the database that they write to, and no other', () => {
  const check = (q: string, options: Options, expected: string): void => {
    assert.equal(shown(q, options), expected, q);
  };

  // Telegraf sends this without a database.
  check('CREATE DATABASE telegraf', { db: '' }, 'create database');
  check('create database "telegraf"', { db: '', own: 'telegraf' }, 'create database');
  check(
    'CREATE DATABASE $d',
    { own: 'db', params: { d: { identifier: 'db' } } },
    'create database',
  );

  const other = 'refuse: CREATE DATABASE may name only "db"';
  check('CREATE DATABASE telegraf', { db: '', own: 'db' }, other);
  check('CREATE DATABASE "DB"', { db: 'db', own: 'db' }, other);

  const options = 'refuse: CREATE DATABASE may not say WITH';
  check('CREATE DATABASE db WITH DURATION 1h', { own: 'db' }, options);
  check('CREATE DATABASE db WITH NAME x', {}, options);
});
