import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCase } from './cases.ts';
import type { Server } from './server.ts';
import { median } from './statistics.ts';
import { cpuSeconds, peakRssMb, resetPeakRss } from './usage.ts';
import type { WrkLoad } from './wrk.ts';

/** What one run, or the median of several, showed of one server. */
export interface Figures {
  readonly linesPerSecond: number;
  /** CPU seconds of the server's process for a million lines. */
  readonly cpuPerMillion: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly peakRssMb: number;
  readonly errors: number;
}

export interface Measured {
  readonly server: string;
  readonly runs: readonly Figures[];
  /** Of each figure by itself; of `peakRssMb` the highest and of `errors` the sum. */
  readonly figures: Figures;
}

export interface MeasureOptions {
  readonly repetitions: number;
  /** Of one run; wrk knows whole seconds only. */
  readonly seconds: number;
  /** Load before the first run that counts: the JIT compiles, connections open. */
  readonly warmUpSeconds: number;
}

/** So that what one run left behind (requests cut off, garbage) is not in the next one's figures. */
const SETTLE_MS = 150;

/** The servers take turns, so that whatever else the machine does meets all of them alike. */
export async function measure(
  benchCase: BenchCase,
  load: WrkLoad,
  servers: readonly Server[],
  options: MeasureOptions,
): Promise<Measured[]> {
  const runs = new Map<Server, Figures[]>(servers.map((server) => [server, []]));
  for (const server of servers) await load.run(server.origin, options.warmUpSeconds);
  for (let repetition = 0; repetition < options.repetitions; repetition++) {
    for (const [server, figures] of runs) {
      await sleep(SETTLE_MS);
      figures.push(await measureOnce(benchCase, load, server, options.seconds));
    }
  }
  return [...runs].map(([{ name }, figures]) => ({
    server: name,
    runs: figures,
    figures: summaryOf(figures),
  }));
}

async function measureOnce(
  { linesPerBody }: BenchCase,
  load: WrkLoad,
  { origin, pid }: Server,
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

function summaryOf(runs: readonly Figures[]): Figures {
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
