import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseQuery } from '../../src/influxql/parser.ts';
import type { StatementType } from '../../src/influxql/statement.ts';
import { planOf, type Rules, type Step } from '../../src/query/planner.ts';
import { DEFAULT_MEASUREMENT, Keymap } from '../../src/routing/keymap.ts';

type Options = Partial<Rules> & {
  readonly params?: unknown;
  readonly keymaps?: Readonly<Record<string, readonly string[]>>;
};

const KEYMAPS = { cpu: ['a'], mem: ['a', 'b'], 'a.b c': ['b'], disk: ['b', 'c'] };

/** A plan in one line: `a,b` can answer alone, `a+c/b` share it (routes `a+c` and `b`), `refuse: why`, `fail: InfluxDB's words`. */
function shown(q: string, options: Options = {}): string {
  const { params, keymaps = KEYMAPS, ...rules } = options;
  const parsed = parseQuery(q, params);
  if (!parsed.ok) return `unparsable: ${parsed.error}`;
  const keymap = new Keymap(keymaps);
  const plan = planOf(parsed.statements, {
    db: 'db',
    own: '',
    routeOf: (name) => keymap.routeOf(name),
    routes: keymap.routes,
    hasDefault: keymap.routeOf(DEFAULT_MEASUREMENT) !== undefined,
    backends: ['a', 'b', 'c'],
    allowed: new Set(),
    ...rules,
  });
  return plan.kind === 'refuse' ? `refuse: ${plan.reason}` : plan.steps.map(shownStep).join('; ');
}

function shownStep(step: Step): string {
  if (step.kind === 'fail') return `fail: ${step.error}`;
  if (step.kind === 'everywhere') return `everywhere ${step.backends.join(',')}`;
  if (step.kind !== 'read') return step.kind;
  const { holders, routes, merge } = step;
  if (holders.length > 0) return `one of ${holders.join(',')}`;
  return `${merge} of ${routes.map(({ backends }) => backends.join('+')).join('/')}`;
}

test('a statement about one measurement goes to a replica of that measurement', () => {
  const check = (q: string, expected: string): void => {
    assert.equal(shown(q), expected, q);
  };

  check('SELECT * FROM cpu', 'one of a');
  check('SELECT * FROM mem', 'one of a,b');
  check(
    "select max(v) from \"mem\" where h = 'x' group by time(1m), h fill(0) tz('UTC')",
    'one of a,b',
  );
  check('SELECT * FROM "a.b c"', 'one of b');
  check('SELECT * FROM rp.cpu', 'one of a');
  check('SELECT * FROM db.rp.cpu', 'one of a');
  check('SELECT * FROM "db".."cpu"', 'one of a');
  check(';;SELECT * FROM cpu;;', 'one of a');
  check('/* x */ SELECT\t*\nFROM\r\ncpu -- INTO t', 'one of a');
  check('SELECT max(v) FROM (SELECT v FROM mem)', 'one of a,b');
  check('EXPLAIN SELECT * FROM mem', 'one of a,b');
  check('EXPLAIN ANALYZE SELECT * FROM mem', 'one of a,b');

  check('SHOW SERIES FROM cpu', 'one of a');
  check('SHOW SERIES ON db FROM cpu', 'one of a');
  check('SHOW TAG KEYS FROM cpu', 'one of a');
  check('SHOW TAG VALUES FROM cpu WITH KEY = h', 'one of a');
  check('SHOW FIELD KEYS FROM cpu', 'one of a');
  check('SHOW MEASUREMENTS WITH MEASUREMENT = mem', 'one of a,b');
  check('SHOW SERIES CARDINALITY FROM cpu', 'one of a');

  // Words of the language inside names, strings, patterns and comments.
  check('SELECT "into" FROM cpu', 'one of a');
  check('SELECT pointinto FROM cpu', 'one of a');
  check("SELECT v FROM cpu WHERE h = 'a; DROP DATABASE db'", 'one of a');
  check('SELECT v FROM cpu WHERE h =~ /;DROP DATABASE db/', 'one of a');
  check('SELECT v /* INTO t */ FROM cpu', 'one of a');

  // Nothing to do
  check('', '');
  check(';', '');
  check('-- nothing', '');
});

test('a server that holds everything that is named may answer alone', () => {
  const check = (q: string, expected: string): void => {
    assert.equal(shown(q), expected, q);
  };

  check('SELECT * FROM cpu, mem', 'one of a');
  check('SELECT * FROM mem, cpu, mem', 'one of a');
  check('SELECT usage, * FROM cpu, mem', 'one of a');
  check('SELECT v FROM cpu, (SELECT v FROM mem)', 'one of a');
  check('SELECT v FROM mem, disk', 'one of b');
  check('EXPLAIN SELECT v FROM mem, disk', 'one of b');
  check('SHOW TAG KEYS FROM cpu, mem', 'one of a');

  const everywhere = { keymaps: { [DEFAULT_MEASUREMENT]: ['a', 'b'] } };
  for (const q of ['SELECT * FROM /./', 'SHOW MEASUREMENTS', 'SHOW SERIES CARDINALITY']) {
    assert.equal(shown(q, everywhere), 'one of a,b', q);
    // Without a default a server may hold measurements that are nobody's.
    assert.equal(shown(q, { keymaps: { cpu: ['a', 'b'] } }).endsWith(' of a+b'), true, q);
  }
});

test('what no server holds alone is asked of several, and merged by kind', () => {
  const check = (q: string, expected: string): void => {
    assert.equal(shown(q), expected, q);
  };
  const all = 'a/a+b/b/b+c';

  check('SELECT v FROM cpu, disk', 'select of a/b+c');
  check('SELECT * FROM cpu, (SELECT * FROM (SELECT * FROM disk))', 'select of a/b+c');
  check('SELECT max(*) FROM cpu, disk GROUP BY *', 'select of a/b+c');
  check('SELECT v FROM /x/', `select of ${all}`);
  check('SELECT v FROM cpu, db.rp./x/', `select of ${all}`);
  check('SHOW MEASUREMENTS', `names of ${all}`);
  check('SHOW MEASUREMENTS WITH MEASUREMENT =~ /x/', `names of ${all}`);
  check('SHOW SERIES', `keys of ${all}`);
  check('SHOW SERIES FROM cpu, disk', 'keys of a/b+c');
  check('SHOW TAG KEYS', `series of ${all}`);
  check('SHOW TAG VALUES FROM /x/ WITH KEY = h', `series of ${all}`);
  check('SHOW FIELD KEYS FROM cpu, disk', 'series of a/b+c');
  check('SHOW TAG KEY CARDINALITY', `series of ${all}`);
  check('SHOW SERIES EXACT CARDINALITY', `series of ${all}`);
  check('SHOW SERIES CARDINALITY FROM cpu, disk', 'series of a/b+c');
  check('SHOW SERIES CARDINALITY', `key count of ${all}`);
  check('SHOW MEASUREMENT CARDINALITY', `name count of ${all}`);
  check('SHOW MEASUREMENT EXACT CARDINALITY FROM cpu, disk', 'name count of a/b+c');
  check('SHOW RETENTION POLICIES', `policies of ${all}`);
  check('SHOW CONTINUOUS QUERIES', `continuous queries of ${all}`);
});

test('a batch is decided as a whole', () => {
  const check = (q: string, expected: string): void => {
    assert.equal(shown(q), expected, q);
  };

  check('SELECT * FROM cpu; SELECT * FROM mem', 'one of a; one of a,b');
  check('SHOW DATABASES;SELECT * FROM cpu;', 'databases; one of a');
  check('DELETE FROM cpu; SELECT v FROM cpu, disk', 'everywhere a; select of a/b+c');
  check('SELECT * FROM cpu; DROP DATABASE db', 'refuse: DROP DATABASE is not supported');
  check('DELETE FROM cpu; SELECT * FROM nowhere', 'refuse: no route for measurement "nowhere"');
});

test('what changes data goes to every holder of what is named, and of a pattern to all servers', () => {
  const check = (q: string, expected: string, allowed: readonly StatementType[] = []): void => {
    assert.equal(shown(q, { allowed: new Set(allowed) }), expected, q);
  };

  check('DELETE FROM mem', 'everywhere a,b');
  check('DELETE FROM mem WHERE time < now() - 1h', 'everywhere a,b');
  check("DROP SERIES FROM mem WHERE h = 'x'", 'everywhere a,b');
  check('DELETE FROM cpu, disk', 'everywhere a,b,c');
  check('DELETE FROM /.*/', 'everywhere a,b,c');
  check('DELETE FROM cpu, /x/', 'everywhere a,b,c');
  check("DELETE WHERE h = 'from'", 'everywhere a,b,c');
  check('DROP SERIES WHERE a = b', 'everywhere a,b,c');

  check('DROP MEASUREMENT mem', 'everywhere a,b', ['drop measurement']);
  check('ALTER RETENTION POLICY x ON db DURATION 1d', 'everywhere a,b,c', [
    'alter retention policy',
  ]);
  const hint = 'is not supported unless proxy.allowStatements names it';
  check('DROP MEASUREMENT mem', `refuse: DROP MEASUREMENT ${hint}`, ['drop retention policy']);
  check('DROP RETENTION POLICY x ON db', `refuse: DROP RETENTION POLICY ${hint}`);
  // Naming them does not help: the configuration refuses these names.
  check('DROP DATABASE db', 'refuse: DROP DATABASE is not supported', ['drop database']);
});

test('everything else is refused with its reason', () => {
  const check = (q: string, reason: string): void => {
    assert.equal(shown(q), `refuse: ${reason}`, q);
  };

  check('SELECT * INTO t FROM cpu', 'SELECT INTO is not supported');
  check('EXPLAIN SELECT * INTO t FROM cpu', 'EXPLAIN INTO is not supported');
  check('DROP DATABASE db', 'DROP DATABASE is not supported');
  check('KILL QUERY 1', 'KILL QUERY is not supported');
  check('SHOW QUERIES', 'SHOW QUERIES is not supported');
  check('SHOW STATS', 'SHOW STATS is not supported');

  const several = 'of measurements on several servers';
  check('EXPLAIN SELECT v FROM cpu, disk', `EXPLAIN ${several}: each server has its own plan`);
  const grouped = 'GROUP BY with a wildcard cannot be merged exactly';
  const counted = 'SHOW FIELD KEY CARDINALITY';
  check(`${counted} FROM cpu, disk GROUP BY *`, `${counted} ${several}: ${grouped}`);

  check('SELECT * FROM nowhere', 'no route for measurement "nowhere"');
  check('SELECT * FROM CPU', 'no route for measurement "CPU"');
  check('SELECT * FROM "a\\"b"', 'no route for measurement "a\\"b"');
  check('SELECT * FROM cpu, nowhere', 'no route for measurement "nowhere"');
});

test('a database that is not the one of the request is refused wherever it is named', () => {
  const check = (q: string, name: string, params?: unknown): void => {
    const expected = `refuse: a request with db=db cannot reach database "${name}"`;
    assert.equal(shown(q, { params }), expected, q);
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
  check('SHOW TAG KEYS FROM other..cpu', 'other');
  check('SHOW MEASUREMENTS ON other', 'other');
  check('SHOW MEASUREMENTS ON *', '*');
  check('SHOW MEASUREMENTS ON *.*', '*');
  check('SHOW MEASUREMENTS ON "*"', '*');
  check('SHOW MEASUREMENTS WITH MEASUREMENT =~ other../x/', 'other');
  check('SHOW RETENTION POLICIES ON other', 'other');
  check('SHOW SERIES CARDINALITY ON other', 'other');
  check('SELECT v FROM cpu; SELECT v FROM other..cpu', 'other');

  check('SELECT * FROM $d..cpu', 'other', { d: { identifier: 'other' } });
  check('SHOW SERIES ON $d FROM cpu', 'other', { d: { identifier: 'other' } });
});

test('a database called * is no wildcard', () => {
  assert.equal(shown('SHOW MEASUREMENTS ON "*"', { db: '*' }).startsWith('names of'), true);
  assert.equal(shown('SHOW MEASUREMENTS ON *', { db: '*' }).startsWith('refuse:'), true);
});

test('a measurement that comes as a parameter is routed by its value', () => {
  const check = (value: unknown, expected: string): void => {
    assert.equal(shown('SELECT * FROM $m', { params: { m: value } }), expected);
  };

  check({ identifier: 'mem' }, 'one of a,b');
  check({ identifier: 'nowhere' }, 'refuse: no route for measurement "nowhere"');
  check({ regex: 'cpu' }, 'select of a/a+b/b/b+c');
});

test('a statement that takes its database from the request needs it, and gets the words of InfluxDB', () => {
  const check = (q: string, options: Options, expected: string): void => {
    assert.equal(shown(q, options), expected, `${q} ${JSON.stringify(options)}`);
  };

  check('SELECT * FROM cpu', { db: '' }, 'fail: database name required');
  check('SELECT * FROM db..cpu, mem', { db: '' }, 'fail: database name required');
  check('SELECT * FROM cpu', { db: 'x', own: 'db' }, 'fail: database not found: x');
  check('SELECT * FROM cpu', { db: 'DB', own: 'db' }, 'fail: database not found: DB');
  check('DELETE FROM cpu', { db: 'x', own: 'db' }, 'fail: database not found: x');
  check('DELETE FROM cpu', { db: '' }, 'fail: database not found: ');
  check('SHOW TAG KEYS', { db: '' }, 'fail: database name required');
  check('SHOW TAG KEYS FROM db..cpu', { db: '' }, 'fail: database name required');
  check('SHOW MEASUREMENTS', { db: '' }, 'fail: database name required');
  check('SHOW MEASUREMENTS', { db: 'x', own: 'db' }, 'empty');
  check('SHOW RETENTION POLICIES', { db: 'x', own: 'db' }, 'fail: database not found: x');
  check(
    'SELECT * FROM cpu; SELECT * FROM mem',
    { db: '' },
    ['fail: database name required', 'fail: database name required'].join('; '),
  );

  check('SELECT * FROM cpu', { db: 'db', own: 'db' }, 'one of a');
  check('SELECT * FROM x..cpu', { db: 'x' }, 'one of a');
  check('SELECT * FROM db..cpu', { db: '', own: 'db' }, 'one of a');
  check('SELECT * FROM db..cpu', { db: 'x', own: 'db' }, 'one of a');
  check('SELECT * FROM whichever..cpu', { db: '' }, 'one of a');
  check('SHOW FIELD KEYS FROM db..cpu', { db: '', own: 'db' }, 'one of a');
  check('SHOW TAG KEYS ON db FROM cpu', { db: '', own: 'db' }, 'one of a');
  check('SHOW DATABASES', { db: '' }, 'databases');
  check('', { db: '' }, '');

  const two = 'refuse: a request without db cannot reach database "two"';
  check('SELECT * FROM one..cpu, two..mem', { db: '' }, two);
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
