import { strict as assert } from 'node:assert';
import { parseQuery } from '../../src/influxql/parser.ts';
import type { Span, Statement } from '../../src/influxql/statement.ts';

/** The statements of a text that must parse. */
export function all(q: string, params?: unknown): readonly Statement[] {
  const result = parseQuery(q, params);
  assert.ok(result.ok, result.ok ? '' : `${q}: ${result.error}`);
  return result.statements;
}

/** The only statement of a text. */
export function one(q: string, params?: unknown): Statement {
  const [statement, ...others] = all(q, params);
  assert.ok(statement !== undefined && others.length === 0, q);
  return statement;
}

export function textOf(q: string, span: Span | undefined): string {
  return span === undefined ? '' : q.slice(span.start, span.end);
}
