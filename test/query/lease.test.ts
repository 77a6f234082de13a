import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Budget } from '../../src/core/budget.ts';
import { parseAnswer, readItems } from '../../src/query/answer-reader.ts';
import { StatementFailed } from '../../src/query/failure.ts';
import { Lease } from '../../src/query/lease.ts';
import { MalformedAnswer } from '../../src/query/raw-json.ts';

const LINE = '{"results":[{"statement_id":0,"series":[{"columns":["key"],"values":[["a"]]}]}]}';

async function* bytes(...parts: readonly string[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}

test('an answer is read line by line, and holds no more than a line', async () => {
  const budget = new Budget(1000);
  const most: number[] = [];
  for (const parts of [
    [`${LINE}\n${LINE}\n`],
    `${LINE}\n${LINE}`.split(''),
    [`${LINE}\n`, LINE, '\n', '\n'],
  ]) {
    const items: unknown[] = [];
    for await (const item of readItems(bytes(...parts), new Lease(budget))) {
      items.push(item);
      most.push(budget.used);
    }
    assert.deepEqual(items, [...parseAnswer(LINE).items, ...parseAnswer(LINE).items]);
    assert.equal(budget.used, 0);
  }
  assert.ok(Math.max(...most) <= LINE.length, `${Math.max(...most)}`);
});

test('a line that does not fit fails the statement, and what was held is given back', async () => {
  const budget = new Budget(LINE.length - 1);
  const lease = new Lease(budget);
  await assert.rejects(readItems(bytes(...LINE.split('')), lease).next(), StatementFailed);
  assert.ok(budget.used > 0);
  lease.release();
  assert.equal(budget.used, 0);
  // Whoever is late takes and gives nothing any more.
  lease.take(5);
  lease.give(7);
  lease.release();
  assert.equal(budget.used, 0);
});

test('what is no answer is told from an answer, and an error from both', async () => {
  const first = (...parts: readonly string[]): Promise<unknown> =>
    readItems(bytes(...parts), new Lease(new Budget(10_000))).next();

  for (const text of ['', '\n', 'no', '{"results":[', LINE.slice(0, -1), `${LINE}x`]) {
    await assert.rejects(first(text), MalformedAnswer, text);
  }
  const failed = '{"results":[{"statement_id":0,"error":"no \\u003cb\\u003e"}]}';
  await assert.rejects(first(failed), new StatementFailed('no <b>'));
  await assert.rejects(first('{"error":"timeout"}'), new StatementFailed('timeout'));
});
