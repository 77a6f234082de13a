import { strict as assert } from 'node:assert';
import type { MergeQuery } from '../../fixtures/merge/query.ts';
import { ask, shownAnswer, type Way } from '../query-client.ts';
import { DB, type Cluster } from './cluster.ts';

type Parameters = Readonly<Record<string, string>>;

/** Forms of an answer: more parameters. */
const FORMS: readonly Parameters[] = [
  {},
  { chunked: 'true', chunk_size: '3', epoch: 'ns' },
  { epoch: 'ms', pretty: 'true' },
  { chunked: 'true', chunk_size: '100' },
  { epoch: 'u' },
];

const WAYS: readonly Way[] = ['GET', 'POST', 'form'];
/** Queries under way at a time. */
const PARALLEL = 4;
/** Characters that a report shows before and after the first difference. */
const SHOWN_BEFORE = 100;
const SHOWN_AFTER = 200;

/**
 * Each query, in three forms or else in one of them, is answered by the proxy as by the single server; fails with all that
 * are not.
 */
export async function assertEqualAnswers(
  cluster: Cluster,
  queries: readonly MergeQuery[],
  forms: 'three' | 'one' = 'three',
): Promise<void> {
  const differences: string[] = [];
  const rest = queries
    .map((query) => (typeof query === 'string' ? { q: query, with: {} } : query))
    .flatMap((query, index) => optionsOf(index, forms).map((options) => ({ query, options })))
    .values();
  const work = async (): Promise<void> => {
    for (const {
      query,
      options: { way, form },
    } of rest) {
      const { q } = query;
      const options = { way, with: { ...query.with, ...form } };
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

interface Options {
  readonly way: Way;
  readonly form: Parameters;
}

/** Plain, in pieces, and one of the others; all take turns. */
function optionsOf(index: number, forms: 'three' | 'one'): Options[] {
  const turn = Math.floor(index / 3);
  const [plain = {}, inPieces = {}, ...others] = FORMS;
  const three = [plain, inPieces, others[turn % others.length] ?? {}];
  const chosen = forms === 'three' ? three : [three[index % 3] ?? {}];
  const way = WAYS[turn % WAYS.length] ?? 'GET';
  return chosen.map((form) => ({ way, form }));
}

function differenceOf(actual: string, expected: string): string | undefined {
  if (actual === expected) return undefined;
  const length = Math.max(actual.length, expected.length);
  const at = Array.from({ length }).findIndex((_, index) => actual[index] !== expected[index]);
  const part = (text: string): string =>
    text.slice(Math.max(0, at - SHOWN_BEFORE), at + SHOWN_AFTER);
  return `  got      ${part(actual)}\n  expected ${part(expected)}\n`;
}
