import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '../../src/core/errors.ts';
import { CleanupStack } from '../support/cleanup.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { openTempDir } from '../support/temp-dir.ts';
import { startBareServer } from './bare.ts';
import { type BenchCase, CASES } from './cases.ts';
import { checkDelivery } from './delivery.ts';
import { MEASUREMENTS } from './lines.ts';
import { measure } from './measure.ts';
import { startReverseProxy, startSink } from './nginx.ts';
import {
  BARE,
  type CaseReport,
  isCorrect,
  machineName,
  NGINX,
  PLAIN_PROXY,
  PROXY,
  tableOf,
} from './report.ts';
import type { Server } from './server.ts';
import { WrkLoad } from './wrk.ts';

const TIMES = { repetitions: 3, seconds: 2, warmUpSeconds: 1 };

/** Well above what the runs add up to: only something that hangs gets here. */
const LIMIT_MS = 180_000;

const jsonPath = process.env['BENCH_JSON'] ?? path.join(tmpdir(), 'influx-proxy-bench.json');

/** All that is measured; the proxies are also asked what they spilled. */
interface Servers {
  readonly proxies: readonly ProxyProcess[];
  readonly of: (benchCase: BenchCase) => readonly Server[];
}

async function startServers(t: CleanupStack, folder: string): Promise<Servers> {
  const sinks = [await startSink(t, folder, 'sink1'), await startSink(t, folder, 'sink2')];
  const proxy = await startProxyTo(t, sinks, true);
  const plain = await startProxyTo(t, sinks, false);
  const [sink] = sinks;
  if (sink === undefined) throw new Error('BUG: no sink');
  const references = [
    { ...(await startReverseProxy(t, folder, sink)), name: NGINX },
    { ...(await startBareServer(t)), name: BARE },
  ];
  const own = { name: PROXY, origin: proxy.url, pid: proxy.pid };
  const ownPlain = { name: PLAIN_PROXY, origin: plain.url, pid: plain.pid };
  return {
    proxies: [proxy, plain],
    of: ({ plainBudget }) =>
      plainBudget === undefined ? [own, ...references] : [own, ownPlain, ...references],
  };
}

/** Both sinks get every point. Its own statistics are off: they would be points that nobody sent. */
function startProxyTo(
  t: CleanupStack,
  sinks: readonly Server[],
  gzip: boolean,
): Promise<ProxyProcess> {
  const backends = sinks.map(({ name, origin }) => [name, { url: origin, db: 'bench', gzip }]);
  const names = sinks.map(({ name }) => name);
  return startProxy(t, {
    proxy: { interval: 0 },
    backends: Object.fromEntries(backends) as Record<string, Record<string, unknown>>,
    keymaps: Object.fromEntries(MEASUREMENTS.map((measurement) => [measurement, names])),
  });
}

async function bench(t: CleanupStack): Promise<boolean> {
  const { folder, remove } = await openTempDir();
  t.after(remove);
  const delivery = await checkDelivery(t, CASES);
  const servers = await startServers(t, folder);
  const cases: CaseReport[] = [];
  for (const benchCase of CASES) {
    process.stderr.write(`(${benchCase.id}) ${benchCase.title}\n`);
    const load = await WrkLoad.create(folder, benchCase);
    cases.push({
      benchCase,
      measured: await measure(benchCase, load, servers.of(benchCase), TIMES),
    });
  }
  const spilled = servers.proxies.flatMap((proxy) => proxy.logged('backend is catching up')).length;
  const report = { machine: machineName(), times: TIMES, cases, delivery, spilled };
  process.stdout.write(`\n${tableOf(report)}`);
  await writeFile(jsonPath, `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`figures of every run: ${jsonPath}\n`);
  return isCorrect(report);
}

const watchdog = setTimeout(() => {
  process.stderr.write(`the bench takes longer than ${LIMIT_MS / 1000} s; giving up\n`);
  process.exit(1); // ends every child process on the way
}, LIMIT_MS);
const stack = new CleanupStack();
try {
  if (!(await bench(stack))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
} finally {
  clearTimeout(watchdog);
  await stack.run();
}
