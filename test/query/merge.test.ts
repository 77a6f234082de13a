import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuery } from '../../src/influxql/parser.ts';
import type { Piece } from '../../src/query/answer-reader.ts';
import { mergeByName, type Named } from '../../src/query/merge/by-name.ts';
import { nameOfKeyRow, RowWindow, runsOf } from '../../src/query/merge/rows.ts';
import { shapeOf, unionOf, Widening } from '../../src/query/merge/widen.ts';
import { byteString, rawOf } from '../../src/query/raw-json.ts';
import { conflictOf, expandedShape, type Schema, schemaOf } from '../../src/query/schema.ts';

function piece(columns: readonly string[], rows: string, tags = ''): Piece {
  return { kind: 'piece', name: '"m"', tags, columns: rawOf(columns), rows, partial: false };
}

async function* sourceOf(names: readonly string[]): AsyncGenerator<Named> {
  for (const name of names) yield await Promise.resolve({ name });
}

test('sorted sources make one sorted source, in either direction', async () => {
  const names = fc.uniqueArray(fc.string(), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      names,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (all, n, descending) => {
        const sorted = all.toSorted((x, y) => (x < y ? -1 : 1) * (descending ? -1 : 1));
        // A name comes several times in a row, but from one source alone.
        const sources = Array.from({ length: n }, (_, source) =>
          sorted.filter((_name, at) => at % n === source).flatMap((name) => [name, name]),
        );
        const merged: string[] = [];
        for await (const { name } of mergeByName(sources.map(sourceOf), descending))
          merged.push(name);
        assert.deepEqual(
          merged,
          sorted.flatMap((name) => [name, name]),
        );
      },
    ),
  );
});

test('LIMIT and OFFSET cut rows as they cut a list, however the rows come', () => {
  const lists = fc.array(fc.array(fc.nat().map(String)));
  fc.assert(
    fc.property(lists, fc.nat({ max: 20 }), fc.nat({ max: 20 }), (parts, limit, offset) => {
      const window = new RowWindow(limit, offset);
      const taken = parts.flatMap((part) => window.take(part));
      const end = limit === 0 ? undefined : offset + limit;
      assert.deepEqual(taken, parts.flat().slice(offset, end));
      if (window.isFull) assert.equal(taken.length, limit);
    }),
  );
});

test('a series key begins with its measurement', () => {
  const check = (key: string, name: string): void => {
    assert.equal(nameOfKeyRow(rawOf([key])), byteString(name), key);
  };

  check('cpu', 'cpu');
  check('cpu,host=a', 'cpu');
  check('m\\ x\\,y,t=1', 'm x,y');
  check('a=b,t=1', 'a=b');
  check('émile "x",h=ä', 'émile "x"');
  check('back\\slash,t=1', 'back\\slash');
  assert.deepEqual(
    runsOf(piece(['key'], '["a,t=1"],["a,t=2"],["b"],["a"]'), nameOfKeyRow).map(
      ({ name, rows }) => [name, rows.length],
    ),
    [
      ['a', 2],
      ['b', 1],
      ['a', 1],
    ],
  );
});

test('columns and tags that another server has are added in their places', () => {
  const one = piece(['time', 'b', 'd'], '[1,"x,]",9007199254740993],[2,null,1e+21]', '{"h":"a"}');
  const other = piece(['time', 'a', 'ä', 'd'], '[3,1,2,3]', '{"g":"1","z":""}');
  const shape = unionOf([shapeOf(one), shapeOf(other)]);
  const both = new Widening(shape, { columns: true, tags: true });
  const widened = both.widened(one);
  assert.equal(widened.columns, rawOf(['time', 'a', 'b', 'd', 'ä']));
  assert.equal(widened.rows, '[1,null,"x,]",9007199254740993,null],[2,null,null,1e+21,null]');
  assert.equal(widened.tags, '{"g":"","h":"a","z":""}');
  assert.equal(both.widened(other).rows, '[3,1,null,3,2]');
  const filled = new Widening(shape, { columns: true, tags: false }, '-1').widened(one);
  assert.equal(filled.rows, '[1,-1,"x,]",9007199254740993,-1],[2,-1,null,1e+21,-1]');
  assert.equal(filled.tags, one.tags);
  // What has the right shape is not touched.
  const tagsOnly = new Widening(shape, { columns: false, tags: true }).widened(one);
  assert.deepEqual([tagsOnly.columns, tagsOnly.rows], [one.columns, one.rows]);
});

test('the shape of an answer without rows is told from the schema', () => {
  const schema = schemaOf(
    [
      piece(
        ['fieldKey', 'fieldType'],
        '["i","integer"],["f","float"],["s","string"],["b","boolean"]',
      ),
    ],
    [piece(['tagKey'], '["host"],["dc"]')],
  );
  const check = (q: string, columns: string | undefined, tags = ''): void => {
    const parsed = parseQuery(q);
    assert.ok(parsed.ok && parsed.statements[0] !== undefined);
    const shape = expandedShape(q, parsed.statements[0], schema);
    const shown =
      shape === undefined ? undefined : unionOf([shape]).columns.join().replaceAll('"', '');
    assert.equal(shown, columns, q);
    assert.equal((shape?.tags ?? []).join().replaceAll('"', ''), tags, q);
  };

  check('SELECT * FROM m', 'time,b,dc,f,host,i,s');
  check('SELECT *::field FROM m', 'time,b,f,i,s');
  check('SELECT *::tag FROM m', 'time,dc,host');
  check('SELECT * FROM m GROUP BY host', 'time,b,dc,f,i,s');
  check('SELECT * FROM m GROUP BY *', 'time,b,f,i,s', 'host,dc');
  check('SELECT mean(*) FROM m', 'time,mean_f,mean_i');
  check('SELECT max(*) AS x FROM m', 'time,x_b,x_f,x_i');
  check('SELECT count(*) FROM m', 'time,count_b,count_f,count_i,count_s');
  check('SELECT percentile(*, 5) FROM m GROUP BY *', 'time,percentile_f,percentile_i', 'host,dc');
  // Only a server reads patterns, and knows what a sub-query gives.
  for (const q of [
    'SELECT /f/ FROM m',
    'SELECT mean(/f/) FROM m',
    'SELECT * FROM m GROUP BY /h/',
    'SELECT * FROM (SELECT * FROM m)',
    'SELECT derivative(mean(*)) FROM m',
  ]) {
    check(q, undefined);
  }
});

test('a name conflicts when servers would take it for different types', () => {
  const schema = (fields: Record<string, string>, ...tags: readonly string[]): Schema => ({
    fields: new Map(Object.entries(fields)),
    tags: new Set(tags),
  });
  const check = (schemas: readonly Schema[], name: string, conflicts: boolean): void => {
    assert.equal(conflictOf(schemas, (one) => one === name) !== undefined, conflicts);
  };

  check([schema({ v: 'float' }), schema({ v: 'float' })], 'v', false);
  check([schema({ v: 'float' }), schema({ v: 'integer' })], 'v', true);
  check([schema({ v: 'float' }), schema({ v: 'integer' })], 'w', false);
  check([schema({ v: 'float' }), schema({}, 'v')], 'v', true);
  check([schema({}, 'v'), schema({}, 'v')], 'v', false);
  check([schema({ v: 'float' }), schema({})], 'v', false);
  // On one server a field goes before a tag.
  check([schema({ v: 'float' }, 'v'), schema({ v: 'float' })], 'v', false);

  // Of two types on one server it takes the first of InfluxDB's order.
  const mixed = piece(['fieldKey', 'fieldType'], '["v","string"],["v","integer"],["v","boolean"]');
  assert.deepEqual([...schemaOf([mixed], []).fields], [['v', 'integer']]);
});
