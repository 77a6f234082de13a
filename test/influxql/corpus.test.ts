import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { sliceOf } from '../../src/influxql/edit.ts';
import { parseQuery } from '../../src/influxql/parser.ts';
import { effectOf, type StatementType } from '../../src/influxql/statement.ts';
import { bypasses, corpus, ours, theirs, type CorpusLine, type Verdict } from './fixtures.ts';
import { all } from './support.ts';

/** Texts that InfluxDB refuses for what only a server knows, and that we therefore pass on. */
const SERVERS_BUSINESS = [
  /^unable to find time zone /, // it depends on the server's files
  /invalid or unsupported Perl syntax: `\(\?<`/, // newer Go versions read `(?<name>`
];

function assertVerdict(line: CorpusLine, verdicts: readonly Verdict[]): void {
  const result = parseQuery(line.q, line.params);
  const verdict = verdicts.find(({ ok }) => ok === result.ok);
  if (verdict === undefined) {
    assert.ok(result.ok, `${line.q}: ${result.ok ? '' : result.error}`);
    const error = line.error ?? '';
    assert.ok(
      SERVERS_BUSINESS.some((pattern) => pattern.test(error)),
      `${line.q}: ${error}`,
    );
  } else if (result.ok) {
    assert.deepEqual(result.statements.map(ours), verdict.statements.map(theirs), line.q);
  }
}

test('every text of the corpus means what it means to InfluxDB', () => {
  for (const line of corpus()) {
    if (line.q.includes('\0')) continue;
    assertVerdict(line, line.v14 === undefined ? [line] : [line, line.v14]);
  }
});

test('every text that talks other proxies past their filters means what it means to InfluxDB', () => {
  for (const { q, id, oracle } of bypasses()) {
    if (!q.includes('\0')) assertVerdict({ ...oracle, q, id }, [oracle]);
  }
});

test('no text with a NUL is read at all', () => {
  const texts = [...corpus(), ...bypasses()].map(({ q }) => q).filter((q) => q.includes('\0'));
  assert.ok(texts.length >= 10);
  for (const q of texts) assert.equal(parseQuery(q).ok, false, JSON.stringify(q));
});

test('only what InfluxDB refuses for reasons of its own is let through', () => {
  const more = corpus().filter(({ q, params, ok, v14 }) => {
    return !ok && v14?.ok !== true && parseQuery(q, params).ok;
  });
  assert.deepEqual(more.map(({ error }) => error?.split(/ zone | at /)[0]).sort(), [
    'error parsing regexp: invalid or unsupported Perl syntax: `(?<`',
    'unable to find time',
    'unable to find time',
    'unable to find time',
  ]);
});

/** Whether running it changes anything on a server. */
function mutates(type: StatementType): boolean {
  const effect = effectOf(type);
  return effect !== 'read' && effect !== 'meta-read' && !type.startsWith('show ');
}

test('what mutates is known', () => {
  for (const { q, params, statements, v14 } of corpus()) {
    const result = parseQuery(q, params);
    if (!result.ok) continue;
    const verdict = v14?.ok === true ? v14.statements : statements;
    result.statements.forEach(({ type }, i) => {
      if (verdict[i] !== undefined) assert.equal(mutates(type), verdict[i].mutates, q);
    });
  }
});

test('a batch is cut where InfluxDB cuts it', () => {
  const batches = corpus().filter(({ q, parts }) => parts !== undefined && !q.includes('\0'));
  assert.ok(batches.length > 50);
  for (const { q, parts = [] } of batches) {
    const whole = all(q).map(ours);
    assert.deepEqual(
      parts.flatMap((part) => all(part).map(ours)),
      whole,
      q,
    );
  }
});

test('the slice of each statement is a text that means the same alone', () => {
  for (const { q, params } of corpus()) {
    const result = parseQuery(q, params);
    if (!result.ok) continue;
    for (const statement of result.statements) {
      const slice = sliceOf(q, statement);
      assert.deepEqual(all(slice, params).map(ours), [ours(statement)], slice);
    }
  }
});

test('errors read as InfluxDB writes them, but for a few', () => {
  const wrong = corpus().filter(({ q, params, ok, v14 }) => {
    return !ok && v14 === undefined && !q.includes('\0') && !parseQuery(q, params).ok;
  });
  const same = wrong.filter(({ q, params, error }) => {
    const result = parseQuery(q, params);
    return !result.ok && result.error === error;
  });
  assert.ok(same.length / wrong.length > 0.97, `${same.length} of ${wrong.length}`);
});
