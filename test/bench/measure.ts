import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from './server.ts';
import { median } from './statistics.ts';
import { cpuSeconds, peakRssMb, resetPeakRss } from './usage.ts';
import type { WrkLoad } from './wrk.ts';

/** What one run, or the median of several, showed of one server under writes. */
export interface Figures {
  readonly linesPerSecond: number;
  /** CPU seconds of the server's process, all threads, for a million lines. */
  readonly cpuPerMillion: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly peakRssMb: number;
  readonly errors: number;
}

/** Of every case, of each server. */
export const REPETITIONS = 3;

/** So that what one run left behind (requests cut off, garbage) is not in the next one's figures. */
const SETTLE_MS = 100;

/** Connections open, caches fill. */
const WARM_UP_SECONDS = 1;

/**
 * A proxy runs for months, so what V8's compilers take in its first seconds under load is no part of its costs: two CPU seconds
 * in all, most of them before this.
 */
const OWN_WARM_UP_SECONDS = 4;

export async function warmUp(
  load: WrkLoad,
  origins: { readonly own: readonly string[]; readonly others: readonly string[] },
): Promise<void> {
  for (const origin of origins.own) await load.run(origin, OWN_WARM_UP_SECONDS);
  for (const origin of origins.others) await load.run(origin, WARM_UP_SECONDS);
}

/** The servers take turns, so that whatever else the machine does meets all of them alike. */
export async function inTurns<S, T>(
  servers: readonly S[],
  run: (server: S) => Promise<T>,
): Promise<T[][]> {
  const results = servers.map((): T[] => []);
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    for (const [index, server] of servers.entries()) {
      await sleep(SETTLE_MS);
      results[index]?.push(await run(server));
    }
  }
  return results;
}

/** One run of writes. */
export async function measureWrites(
  { origin, pid }: Server,
  load: WrkLoad,
  linesPerBody: number,
  seconds: number,
): Promise<Figures> {
  await resetPeakRss(pid);
  const cpuBefore = await cpuSeconds(pid);
  const result = await load.run(origin, seconds);
  const cpu = (await cpuSeconds(pid)) - cpuBefore;
  const lines = result.requests * linesPerBody;
  return {
    linesPerSecond: lines / result.seconds,
    cpuPerMillion: (cpu / lines) * 1e6,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    peakRssMb: await peakRssMb(pid),
    errors: result.errors,
  };
}

/** The median of each figure by itself; of `peakRssMb` the highest and of `errors` the sum. */
export function summaryOf(runs: readonly Figures[]): Figures {
  const medianOf = (key: keyof Figures): number => median(runs.map((run) => run[key]));
  return {
    linesPerSecond: medianOf('linesPerSecond'),
    cpuPerMillion: medianOf('cpuPerMillion'),
    p50Ms: medianOf('p50Ms'),
    p99Ms: medianOf('p99Ms'),
    peakRssMb: Math.max(...runs.map((run) => run.peakRssMb)),
    errors: runs.reduce((sum, run) => sum + run.errors, 0),
  };
}
