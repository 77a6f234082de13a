import { strict as assert } from 'node:assert';
import type { MergeQuery } from '../../fixtures/merge/query.ts';
import { ask, shownAnswer, type Way } from '../query-client.ts';
import { DB, type Cluster } from './cluster.ts';

type Parameters = Readonly<Record<string, string>>;

/** Forms of an answer: more parameters. */
export const FORMS: readonly Parameters[] = [
  {},
  { epoch: 'ns' },
  { epoch: 'ms', pretty: 'true' },
  { chunked: 'true', chunk_size: '3', epoch: 'ns' },
  { chunked: 'true', chunk_size: '100' },
];

const WAYS: readonly Way[] = ['GET', 'POST', 'form'];
/** Queries under way at a time. */
const PARALLEL = 4;
/** Characters that a report shows before and after the first difference. */
const SHOWN_BEFORE = 100;
const SHOWN_AFTER = 200;

/** Each query, in each form, is answered by the proxy as by the single server; fails with all that are not. */
export async function assertEqualAnswers(
  cluster: Cluster,
  queries: readonly MergeQuery[],
  forms = FORMS,
): Promise<void> {
  const differences: string[] = [];
  const rest = queries
    .map((query) => (typeof query === 'string' ? { q: query, with: {} } : query))
    .flatMap((query, index) => forms.map((form) => ({ ...query, form, way: WAYS[index % 3] })))
    .values();
  const work = async (): Promise<void> => {
    for (const { q, with: more, form, way = 'GET' } of rest) {
      const options = { way, with: { ...more, ...form } };
      const [actual, expected] = await Promise.all(
        [cluster.proxy.url, cluster.single.url].map((url) => ask(url, DB, q, options)),
      );
      if (actual === undefined || expected === undefined) throw new Error('BUG: no answer');
      const difference = differenceOf(
        JSON.stringify(shownAnswer(actual)),
        JSON.stringify(shownAnswer(expected)),
      );
      if (difference === undefined) continue;
      differences.push(`${q} ${JSON.stringify(options)}\n${difference}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  const count = `${differences.length} answers differ\n`;
  assert.ok(differences.length === 0, [count, ...differences].join('\n'));
}

function differenceOf(actual: string, expected: string): string | undefined {
  if (actual === expected) return undefined;
  const length = Math.max(actual.length, expected.length);
  const at = Array.from({ length }).findIndex((_, index) => actual[index] !== expected[index]);
  const part = (text: string): string =>
    text.slice(Math.max(0, at - SHOWN_BEFORE), at + SHOWN_AFTER);
  return `  got      ${part(actual)}\n  expected ${part(expected)}\n`;
}
