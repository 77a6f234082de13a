import { setTimeout as sleep } from 'node:timers/promises';
import type { CleanupStack } from '../support/cleanup.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { CountingSink, type SinkCount, type SinkState } from './counting-sink.ts';
import { type Paced, PacedLoad } from './paced-load.ts';
import {
  type Budget,
  decimals,
  millions,
  mustBe,
  type Row,
  type Section,
  whole,
} from './report.ts';
import type { Settings } from './settings.ts';
import { quantile } from './statistics.ts';
import { backendName, keymapsOf, ONE_ROUTE, startProxyTo } from './topology.ts';
import { cpuSeconds, peakRssMb, resetPeakRss } from './usage.ts';

/** One of the two replicas fails under a steady load, and comes back while the load goes on. */
export interface Outage {
  readonly id: string;
  readonly title: string;
  readonly fault: Exclude<SinkState, 'up'>;
  readonly secondsOf: (settings: Settings) => number;
}

export const OUTAGES: readonly Outage[] = [
  { id: 'f', title: 'one of two replicas down', fault: 'down', secondsOf: () => 8 },
  {
    id: 'f2',
    title: 'one of two replicas hung: accepts, never answers',
    fault: 'hung',
    secondsOf: ({ hungSeconds }) => hungSeconds,
  },
];

/** Of each replica. The live load is half of it, so that the other half is there for the backlog. */
const CAPACITY_LINES_PER_SECOND = 200_000;
const LIVE_LINES_PER_SECOND = CAPACITY_LINES_PER_SECOND / 2;

const HEALTHY_SECONDS = 3;
/** For the backlog to drain beside the live load, in times of what the outage lasted. */
const MAX_DRAIN_FACTOR = 2;
/** Then without it. */
const MAX_QUIET_SECONDS = 60;

/** `spillAfter`, and what it takes to notice and to write it down. */
const MAX_ACK_MS = 500 + 100;
/** Through any outage. */
export const MAX_OUTAGE_RSS_MB = 256;

export async function runOutage(
  t: CleanupStack,
  { id, title, fault, secondsOf }: Outage,
  settings: Settings,
): Promise<Section[]> {
  const faultSeconds = secondsOf(settings);
  const steady = await CountingSink.start(t, CAPACITY_LINES_PER_SECOND);
  const failing = await CountingSink.start(t, CAPACITY_LINES_PER_SECOND);
  const proxy = await startProxyTo(t, [steady.origin, failing.origin], keymapsOf(ONE_ROUTE));
  const load = new PacedLoad(proxy.url, ONE_ROUTE.stream, LIVE_LINES_PER_SECOND);
  t.after(() => {
    load.close();
  });
  const warmUp = await load.run(sleep(1_000));

  const healthy = await load.run(sleep(HEALTHY_SECONDS * 1_000));
  await resetPeakRss(proxy.pid);
  const cpuBefore = await cpuSeconds(proxy.pid);
  await failing.become(fault);
  const broken = await load.run(sleep(faultSeconds * 1_000));
  const cpu = (await cpuSeconds(proxy.pid)) - cpuBefore;
  const backlog = (await proxy.meta()).backends[backendName(1)]?.backlog;
  const replay = await replayOf(proxy, failing, load, faultSeconds);
  const peak = await peakRssMb(proxy.pid);
  const delivered = [(await steady.count()).lines, (await failing.count()).lines];

  const phases = [warmUp, healthy, broken, replay.live];
  const acknowledged = sumOf(phases, (phase) => phase.acknowledgedLines);
  const cpuPerMillion = (cpu / broken.acknowledgedLines) * 1e6;
  const rows: Row[] = [
    ...ackRows(healthy, broken, replay.live),
    {
      figure: 'CPU seconds per million lines while it fails',
      format: decimals(2),
      own: cpuPerMillion,
    },
    { figure: 'peak RSS MB', format: whole, own: peak, budget: { atMost: MAX_OUTAGE_RSS_MB } },
    { figure: 'backlog, points', format: millions, own: backlog?.points ?? NaN },
    { figure: 'backlog, MB on disk', format: whole, own: (backlog?.bytes ?? NaN) / 1e6 },
    ...replay.rows,
    { figure: 'lines acknowledged', format: millions, own: acknowledged },
    mustBe(
      'lines refused',
      0,
      sumOf(phases, (phase) => phase.refusedLines),
    ),
    ...delivered.map((lines, index) =>
      mustBe(`lines acknowledged less those at replica ${index + 1}`, 0, acknowledged - lines),
    ),
  ];
  return [{ id, title: `${title} for ${faultSeconds} s`, rows }];
}

interface Replay {
  readonly live: Paced;
  readonly rows: readonly Row[];
}

/** From the moment when the replica is back. */
async function replayOf(
  proxy: ProxyProcess,
  failing: CountingSink,
  load: PacedLoad,
  faultSeconds: number,
): Promise<Replay> {
  const before = await failing.become('up');
  const start = performance.now();
  const limitMs = MAX_DRAIN_FACTOR * faultSeconds * 1_000;
  let end: { readonly count: SinkCount; readonly seconds: number } | undefined;
  const drained = whenComplete(proxy, limitMs).then(
    async () => {
      end = { count: await failing.count(), seconds: (performance.now() - start) / 1_000 };
    },
    () => undefined,
  );
  const live = await load.run(drained);
  const { count, seconds } = end ?? {
    count: await failing.count(),
    seconds: (performance.now() - start) / 1_000,
  };
  // Without live load it must drain in any case, or nothing could be said of what was delivered; and a machine that is
  // too busy may have made the proxy spill once more.
  await whenComplete(proxy, MAX_QUIET_SECONDS * 1_000);
  const lines = count.lines - before.lines;
  const bytes = count.bytes - before.bytes;
  const rows: Row[] = [
    { figure: 'replay, lines/s, live ones behind it', format: millions, own: lines / seconds },
    { figure: 'replay, MB/s of lines', format: decimals(1), own: bytes / 1e6 / seconds },
    {
      figure: `seconds until drained beside ${millions(LIVE_LINES_PER_SECOND)} lines/s of live load`,
      format: decimals(1),
      own: end === undefined ? NaN : seconds,
      budget: { atMost: limitMs / 1_000 },
    },
  ];
  return { live, rows };
}

async function whenComplete(proxy: ProxyProcess, deadlineMs: number): Promise<void> {
  await proxy.waitFor(
    ({ backends }) => Object.values(backends).every(({ state }) => state === 'complete'),
    { deadlineMs, what: 'the backlog drains' },
  );
}

function ackRows(healthy: Paced, broken: Paced, replay: Paced): Row[] {
  const p99 = (phase: Paced): number => quantile(phase.latenciesMs, 0.99);
  const row = (figure: string, own: number, budget?: Budget): Row => ({
    ...{ figure, format: decimals(1), own, budget },
  });
  return [
    row('p99 ms, both well', p99(healthy)),
    row('p50 ms, one failing', quantile(broken.latenciesMs, 0.5)),
    row('p99 ms, one failing', p99(broken), { atMost: MAX_ACK_MS }),
    row('slowest ms, one failing', Math.max(...broken.latenciesMs)),
    row('p99, one failing to both well', p99(broken) / p99(healthy)),
    row('p99 ms, replay', p99(replay)),
  ];
}

function sumOf(phases: readonly Paced[], figureOf: (phase: Paced) => number): number {
  return phases.reduce((sum, phase) => sum + figureOf(phase), 0);
}
