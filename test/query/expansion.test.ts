import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { sliceOf } from '../../src/influxql/edit.ts';
import { parseQuery } from '../../src/influxql/parser.ts';
import { type Clauses, levelsOf } from '../../src/influxql/statement.ts';
import type { Piece } from '../../src/query/answer-reader.ts';
import { expansionOf, type LevelSchema } from '../../src/query/expansion.ts';
import { rawOf } from '../../src/query/raw-json.ts';
import { schemaOf } from '../../src/query/schema.ts';

function planOf(...lines: readonly string[]): Piece {
  const rows = lines.map((line) => rawOf([line])).join(',');
  return { kind: 'piece', name: '', tags: '', columns: '["QUERY PLAN"]', rows, partial: false };
}

const FIELDS = 'AUXILIARY FIELDS: ';

test('a plan tells fields with their types, and tags', () => {
  const names = String.raw`"Feld ä"::float, "\n"::integer, "a::b, \"c\" \\"::string, v::float, kind::string, kind::tag, "t g"::tag`;
  const { fields, tags } = schemaOf([
    planOf('EXPRESSION: <nil>', FIELDS + names, 'NUMBER OF SHARDS: 1', '', FIELDS + names),
  ]);
  const expected = { 'Feld ä': 'float', 'a::b, "c" \\': 'string', v: 'float', kind: 'string' };
  assert.deepEqual(Object.fromEntries(fields), expected);
  assert.deepEqual([...tags], ['kind', 't g']);
});

test('of several types InfluxDB takes one', () => {
  const types = (...found: string[]): unknown =>
    schemaOf(found.map((type) => planOf(`${FIELDS}x::${type}`))).fields.get('x');
  assert.equal(types('integer', 'float'), 'float');
  assert.equal(types('string', 'integer', 'boolean'), 'integer');
  assert.equal(types('boolean', 'string'), 'string');
  assert.equal(types('tag', 'boolean'), 'boolean');
});

test('a server without a shard in that time knows nothing; a plan of another form is no such answer', () => {
  assert.equal(schemaOf([planOf('')]).fields.size, 0);
  assert.throws(() => schemaOf([planOf('PLAN: something else')]), /cannot read the plan/);
});

const SCHEMA: LevelSchema = {
  fields: new Map([
    ['f', 'float'],
    ['i', 'integer'],
    ['s', 'string'],
    ['b', 'boolean'],
    ['kind', 'string'],
    ['😀', 'float'],
    ['～', 'float'],
  ]),
  tags: new Set(['host', 'dc', 'kind']),
  matches: new Map([
    ['/f|h/', new Set(['f', 'host'])],
    ['/none/', new Set<string>()],
  ]),
};

function expanded(q: string): string {
  const parsed = parseQuery(q);
  assert.ok(parsed.ok && parsed.statements[0] !== undefined, q);
  const [statement] = parsed.statements;
  const levels = levelsOf(statement).filter(({ measurements }) => measurements.length > 0);
  const schemas = new Map(levels.map((level): [Clauses, LevelSchema] => [level, SCHEMA]));
  const text = sliceOf(q, statement, expansionOf({ text: q, statement }, schemas));
  assert.ok(parseQuery(text).ok, text);
  return text
    .replace(/ +/g, ' ')
    .replace(/ (?=[,)])/g, '')
    .trim();
}

const FLOATS = '"～"::float, "😀"::float';
const NONE = String.raw`/[^\x00-\x{10FFFF}]/`;

test('names and types take the place of wildcards', () => {
  const check = (fields: string, to: string, tail = '', toTail = tail): void => {
    assert.equal(expanded(`SELECT ${fields} FROM m${tail}`), `SELECT ${to} FROM m${toTail}`);
  };

  const withoutTags = `"b"::boolean, "f"::float, "i"::integer, "kind"::string, "s"::string, ${FLOATS}`;
  const all = `"b"::boolean, "dc"::tag, "f"::float, "host"::tag, "i"::integer, "kind"::string, "kind"::tag, "s"::string, ${FLOATS}`;
  check('*', all);
  check('*::field', withoutTags);
  check('*::tag', '"dc"::tag, "host"::tag, "kind"::tag');
  check('*', withoutTags, ' GROUP BY *', ' GROUP BY "dc", "host", "kind"');
  check('*::tag', '"dc"::tag, "kind"::tag', ' GROUP BY host');
  check('f, *::tag', 'f::float, "dc"::tag, "host"::tag, "kind"::tag');
  check('/f|h/', '"f"::float, "host"::tag');
  check('/none/', NONE);
  check('count(f)', 'count(f::float)', ' GROUP BY /f|h/', ' GROUP BY "host"');
  check('count(f)', 'count(f::float)', ' GROUP BY dc, /none/', ` GROUP BY dc, ${NONE}`);
  check('MAX(/f|h/)', 'MAX("f"::float) AS "max_f"');
  check('percentile( /f|h/ , 50) AS x', 'percentile( "f"::float, 50) AS "x_f"');
  const mean = ['f', 'i', '～', '😀'].map((name) => {
    return `mean("${name}"::${name === 'i' ? 'integer' : 'float'}) AS "mean_${name}"`;
  });
  check('mean(*)', mean.join(', '));
  check('max(/none/), f', `max( ${NONE}), f::float`);
});

test('a mention gets the type that one server would find', () => {
  const check = (q: string, to: string): void => {
    assert.equal(expanded(q), to);
  };

  check(
    'SELECT "f",i+f FROM m',
    'SELECT "f"::float,i::integer+f::float FROM m'.replace('::integer+', '::integer +'),
  );
  check(
    "SELECT f FROM m WHERE s!='x'AND host = 'a'",
    "SELECT f::float FROM m WHERE s::string !='x'AND host::tag = 'a'",
  );
  check(
    'SELECT f::integer, s::field, host::field FROM m',
    'SELECT f::integer, s::string, host::field FROM m',
  );
  check('SELECT time, nothing, kind FROM m', 'SELECT time, nothing, kind::string FROM m');
  check('SELECT count(DISTINCT f) FROM m', 'SELECT count(distinct("f"::float)) FROM m');
  // Above sub-queries all follows from what stands in them.
  check(
    'SELECT x, * FROM (SELECT f AS x FROM m)',
    'SELECT x, * FROM (SELECT f::float AS x FROM m)',
  );
});

test('a level of sub-queries and measurements', () => {
  const beside = (fields: string, sub: string): string =>
    expanded(`SELECT ${fields} FROM (SELECT ${sub} FROM m), n`).replace(/ FROM .*/, '');

  assert.equal(beside('f, x', 'mean(f) AS x'), 'SELECT f::float, x::float');
  // A float goes before whatever the sub-query may give.
  assert.equal(beside('f', 'last(s) AS f'), 'SELECT f::float');
  assert.equal(beside('i', 'i'), 'SELECT i::integer');
  assert.throws(() => beside('i', 'last(f) AS i'), /cannot tell the type of "i"/);
  assert.throws(() => beside('sum(*)', 'last(f) AS x'), /whether sum\(\) takes "x"/);
  assert.throws(() => beside('/f|h/', 'f AS x'), /what a pattern matches/);
});
