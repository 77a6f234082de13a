import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Item, parseAnswer, type Piece } from '../../src/query/answer-reader.ts';
import { envelopeOf, type Result } from '../../src/query/envelope.ts';
import { StatementFailed } from '../../src/query/failure.ts';
import { PrettyPrinter } from '../../src/query/pretty.ts';

function piece(name: string, rows: string, partial = false): Piece {
  return { kind: 'piece', name: `"${name}"`, tags: '', columns: '["time","v"]', rows, partial };
}

function resultOf(items: readonly Item[], error?: string): Result {
  const iterate = async function* (): AsyncGenerator<Item> {
    yield* items;
    if (error !== undefined) throw new StatementFailed(error);
    await Promise.resolve();
  };
  return { items: iterate(), marksPartial: true };
}

async function written(results: readonly Result[], isChunked = false): Promise<string> {
  let text = '';
  for await (const part of envelopeOf(results, isChunked)) text += part;
  return text;
}

test('results are written as InfluxDB writes them', async () => {
  const check = async (results: readonly Result[], expected: string): Promise<void> => {
    assert.equal(await written(results), `{"results":[${expected}]}\n`);
  };
  const values = '"columns":["time","v"],"values"';

  await check([resultOf([])], '{"statement_id":0}');
  await check([resultOf([]), resultOf([])], '{"statement_id":0},{"statement_id":1}');
  await check(
    [resultOf([piece('a', '[1,2]'), piece('b', '[3,4],[5,6]')])],
    `{"statement_id":0,"series":[{"name":"a",${values}:[[1,2]]},{"name":"b",${values}:[[3,4],[5,6]]}]}`,
  );
  // Pieces of one series become one.
  await check(
    [resultOf([piece('a', '[1,2]', true), piece('a', '[3,4]', true), piece('a', '[5,6]')])],
    `{"statement_id":0,"series":[{"name":"a",${values}:[[1,2],[3,4],[5,6]]}]}`,
  );
  await check(
    [resultOf([{ ...piece('', ''), name: '', tags: '{"h":"x"}' }])],
    '{"statement_id":0,"series":[{"tags":{"h":"x"},"columns":["time","v"]}]}',
  );
  const messages: Item = {
    kind: 'messages',
    messages: ['{"level":"warning"}', '{"level":"warning"}'],
  };
  await check([resultOf([messages])], '{"statement_id":0,"messages":[{"level":"warning"}]}');
});

test('a statement that fails ends the query, whatever it had shown by then', async () => {
  const results = () => [
    resultOf([piece('a', '[1,2]', true)], 'no "more"'),
    resultOf([piece('b', '[1,2]')]),
    resultOf([]),
  ];
  const series = '"series":[{"name":"a","columns":["time","v"],"values":[[1,2]]';
  const rest = [
    '{"statement_id":1,"error":"not executed"}',
    '{"statement_id":2,"error":"not executed"}',
  ];
  assert.equal(
    await written(results()),
    `{"results":[{"statement_id":0,${series}}],"error":"no \\"more\\""},${rest.join(',')}]}\n`,
  );
  assert.equal(
    await written(results(), true),
    [
      `{"statement_id":0,${series},"partial":true}],"partial":true}`,
      '{"statement_id":0,"error":"no \\"more\\""}',
      ...rest,
    ]
      .map((result) => `{"results":[${result}]}\n`)
      .join(''),
  );
});

test('what was written reads as it was, in one document or in many', async () => {
  const rows = fc.array(fc.constantFrom('[1,"a"]', '[9007199254740993,null]', '["]","\\""]'), {
    minLength: 1,
  });
  const pieces = fc.array(
    fc.record({
      name: fc.constantFrom('a', 'b\\"', 'ä'),
      rows: rows.map((list) => list.join(',')),
    }),
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (given) => {
      const items = given.map(({ name, rows: inner }) => piece(name, inner));
      const whole = parseAnswer((await written([resultOf(items)])).trimEnd());
      assert.deepEqual(whole, { items, error: undefined });
      const documents = (await written([resultOf(items)], true)).trimEnd().split('\n');
      assert.deepEqual(
        documents.flatMap((document) => parseAnswer(document).items),
        items,
      );
    }),
  );
});

test('pretty JSON is laid out as by MarshalIndent, document by document', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (values) => {
      const printer = new PrettyPrinter();
      const laidOut = values.map((value) => printer.next(`${JSON.stringify(value)}\n`)).join('');
      const expected = values.map((value) => `${JSON.stringify(value, undefined, 4)}\n`).join('');
      assert.equal(laidOut, expected);
    }),
  );
  // A text may end between any two values.
  const printer = new PrettyPrinter();
  const parts = ['{"a":', '[', '1,2', '],', '"b":{}', ',"c":["]"', ']}\n'];
  const whole = JSON.stringify({ a: [1, 2], b: {}, c: [']'] }, undefined, 4);
  assert.equal(parts.map((part) => printer.next(part)).join(''), `${whole}\n`);
});
