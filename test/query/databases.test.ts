import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Piece } from '../../src/query/answer-reader.ts';
import {
  continuousQueriesOf,
  planShowing,
  policiesOf,
  showingDatabase,
} from '../../src/query/merge/databases.ts';
import { itemsOf, rawOf } from '../../src/query/raw-json.ts';

function piece(
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  name = '',
): Piece {
  return {
    kind: 'piece',
    name: name === '' ? '' : rawOf(name),
    tags: '',
    columns: rawOf(columns),
    rows: rows.map((row) => rawOf(row)).join(','),
    partial: false,
  };
}

test('a policy is shown once, and a difference is told', () => {
  const columns = ['name', 'duration', 'default'];
  const one = piece(columns, [
    ['autogen', '0s', true],
    ['long', '24h0m0s', false],
  ]);
  const newer = piece(
    ['name', 'duration', 'futureWriteLimit', 'default'],
    [
      ['long', '24h0m0s', '0s', false],
      ['autogen', '1h0m0s', '0s', true],
      ['own', '0s', '0s', false],
    ],
  );
  const { piece: merged, messages } = policiesOf([
    { server: 'a', db: 'x', pieces: [one] },
    { server: 'b', db: 'y', pieces: [newer] },
  ]);
  assert.equal(merged?.columns, rawOf(columns));
  assert.equal(merged.rows, '["autogen","0s",true],["long","24h0m0s",false],["own","0s",false]');
  assert.equal(messages.length, 1);
  assert.match(messages[0] ?? '', /"level":"warning".*autogen.* of b differs from that of a/);
  assert.deepEqual(policiesOf([{ server: 'a', db: 'x', pieces: [] }]), {
    piece: undefined,
    messages: [],
  });
});

test('continuous queries are those of the own database, by its own name', () => {
  const columns = ['name', 'query'];
  const text = (db: string): string =>
    `CREATE CONTINUOUS QUERY cq ON ${db} BEGIN SELECT mean(v) INTO ${db}.long.t FROM ${db}.autogen.m GROUP BY time(1m) END`;
  const merged = continuousQueriesOf(
    [
      {
        server: 'a',
        db: 'x',
        pieces: [
          piece(columns, [['cq', text('x')]], 'x'),
          piece(columns, [['cq', text('z')]], 'z'),
        ],
      },
      {
        server: 'b',
        db: 'y y',
        pieces: [
          piece(
            columns,
            [
              ['cq', text('"y y"')],
              ['b', 'no "query"'],
            ],
            'y y',
          ),
        ],
      },
    ],
    'own',
  );
  assert.equal(merged.name, '"own"');
  // The same query on both servers, whatever they call the database; quotes stay where they were.
  assert.deepEqual(itemsOf(`[${merged.rows}]`), [
    rawOf(['cq', text('own')]),
    rawOf(['cq', text('"own"')]),
    rawOf(['b', 'no "query"']),
  ]);
});

test('a statement that a server prints shows the name that clients know', () => {
  const check = (text: string, expected: string, own = 'own'): void => {
    assert.equal(showingDatabase(text, 'db', own), expected);
  };

  check('SELECT v::float FROM db.autogen.m', 'SELECT v::float FROM own.autogen.m');
  check('SELECT v FROM "db"..m, other..m', 'SELECT v FROM "own"..m, other..m');
  check('SELECT v FROM db..m', 'SELECT v FROM "my own"..m', 'my own');
  check("SELECT db FROM m WHERE a = 'db'", "SELECT db FROM m WHERE a = 'db'");
  check('what db is this', 'what db is this');

  const plan = piece(
    ['EXPLAIN ANALYZE'],
    [['.'], ['│   └── statement: SELECT v FROM db.autogen.m'], ['x: db']],
  );
  assert.equal(
    planShowing(plan, 'db', 'own').rows,
    [['.'], ['│   └── statement: SELECT v FROM own.autogen.m'], ['x: db']]
      .map((row) => rawOf(row))
      .join(','),
  );
});
