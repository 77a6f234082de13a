import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { DB, startCluster, takeDown } from './merge/cluster.ts';
import { SelectGenerator } from './merge/random-selects.ts';
import { ask } from './query-client.ts';

// SELECTs that nobody has thought of: each is answered as by one server, or refused. MERGE_RUNS=5000 MERGE_SEED=7 for more.

const runs = Number(process.env['MERGE_RUNS'] ?? 300);
const seed = Number(process.env['MERGE_SEED'] ?? 1);
/** At most this share may be refused. */
const MOST_REFUSED = 0.02;

const cleanup = new CleanupStack();
after(() => cleanup.run());
const cluster = await startCluster(cleanup);

test(`${runs} random SELECTs over several servers, seed ${seed}`, async () => {
  // Without b no server has both cpu and mem.
  await takeDown(cluster, 'b');
  const generator = new SelectGenerator(seed);
  const differences: string[] = [];
  const counts = { equal: 0, refused: 0, unanswered: 0 };
  for (let run = 0; run < runs; run++) {
    const q = generator.next();
    const [actual = '', expected = ''] = await Promise.all(
      [cluster.proxy.url, cluster.single.url].map((url) => textFrom(url, q)),
    );
    // A crash in the engine, or an infinite number, of which there is no JSON.
    if (expected.includes('[panic:') || !expected.startsWith('{')) counts.unanswered++;
    else if (actual === expected || inOneOrder(actual) === inOneOrder(expected)) counts.equal++;
    else if (actual.includes('"error":"influx-proxy cannot tell')) counts.refused++;
    else differences.push(`${q}\n  got      ${actual}\n  expected ${expected}`);
  }
  const shown = [`seed ${seed}: ${JSON.stringify(counts)}`, ...differences].join('\n');
  assert.deepEqual(differences, [], shown);
  assert.ok(counts.refused <= runs * MOST_REFUSED && counts.unanswered < runs / 20, shown);
});

async function textFrom(url: string, q: string): Promise<string> {
  return (await ask(url, DB, q, { way: 'form', with: { epoch: 'ms' } })).text;
}

/** The order of rows of one time, as aggregates of several series are in a sub-query, is arbitrary on one server too. */
function inOneOrder(text: string): string {
  const { results = [] } = JSON.parse(text) as {
    results?: { series?: { values?: unknown[][] }[] }[];
  };
  for (const { series = [] } of results) {
    for (const { values } of series) {
      values?.sort((a, b) => Number(a[0]) - Number(b[0]) || order(a, b));
    }
  }
  return JSON.stringify(results);
}

function order(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
