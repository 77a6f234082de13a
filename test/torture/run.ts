// First: it decides how node:zlib behaves for all that is imported after it.
import { zlibCalls } from './zlib-in-turn.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { type Result, Simulation } from './simulation.ts';

// A thread of its own: the test runner follows every promise of the thread that it runs in, which takes most of the time.

export interface Run {
  readonly seed: number;
  readonly schedules: number;
  readonly sabotage: { readonly ignoresSync?: boolean };
}

export interface Outcome extends Result {
  readonly seed: number;
  readonly zlibCalls: number;
}

const { seed: first, schedules, sabotage } = workerData as Run;

for (let seed = first; seed < first + schedules; seed++) {
  const result = await new Simulation(seed, sabotage).run();
  const outcome: Outcome = { ...result, seed, zlibCalls: zlibCalls() };
  parentPort?.postMessage(outcome);
  if (result.violations.length > 0) break;
}
