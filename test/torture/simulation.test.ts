import { strict as assert } from 'node:assert';
import { on } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Outcome, Run } from './run.ts';

const seed = Number(process.env['TORTURE_SEED'] ?? 1);
const onlyOne = process.env['TORTURE_SEED'] !== undefined;
const schedules = Number(process.env['TORTURE_SCHEDULES'] ?? (onlyOne ? 1 : 200));

test(`${schedules} schedules of faults, from seed ${seed} on`, async (t) => {
  const run: Run = { seed, schedules, sabotage: {} };
  const worker = new Worker(new URL('run.js', import.meta.url), { workerData: run });
  const totals = new Map<string, number>();
  const startedAt = performance.now();
  let done = 0;
  for await (const [outcome] of on(worker, 'message', { close: ['exit'] })) {
    const { seed: own, violations, counts, log, zlibCalls } = outcome as Outcome;
    const story = [`TORTURE_SEED=${own}`, ...violations.slice(0, 10), ...log].join('\n');
    assert.ok(violations.length === 0, story);
    assert.ok(zlibCalls > 0);
    for (const [name, count] of Object.entries(counts)) {
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
    done += 1;
  }
  assert.equal(done, schedules);
  const seconds = (performance.now() - startedAt) / 1000;
  t.diagnostic(`${Math.round(schedules / seconds)} schedules a second`);
  t.diagnostic([...totals].map(([name, count]) => `${name} ${count}`).join(', '));
});

test('a disk that has not synced what it says it has is noticed', async () => {
  const run: Run = { seed: 1, schedules: 20, sabotage: { ignoresSync: true } };
  const worker = new Worker(new URL('run.js', import.meta.url), { workerData: run });
  let violations = 0;
  for await (const [outcome] of on(worker, 'message', { close: ['exit'] })) {
    violations += (outcome as Outcome).violations.length;
  }
  assert.ok(violations > 0);
});
