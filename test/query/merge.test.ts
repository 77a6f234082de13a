import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Piece } from '../../src/query/answer-reader.ts';
import { mergeByName, type Named } from '../../src/query/merge/by-name.ts';
import { nameOfKeyRow, RowWindow, runsOf } from '../../src/query/merge/rows.ts';
import { Widening } from '../../src/query/merge/widen.ts';
import { byteString, rawOf } from '../../src/query/raw-json.ts';

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

test('rows are brought to the columns of another answer', () => {
  const one = piece(['time', 'b', 'd'], '[1,"x,]",9007199254740993],[2,null,1e+21]', '{"h":"a"}');
  const widening = new Widening(piece(['time', 'a', 'd', 'b'], ''));
  const widened = widening.widened(one);
  assert.equal(widened.columns, rawOf(['time', 'a', 'd', 'b']));
  assert.equal(widened.rows, '[1,null,9007199254740993,"x,]"],[2,null,1e+21,null]');
  assert.equal(widened.tags, one.tags);
});
