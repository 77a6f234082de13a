import type { CleanupStack } from '../support/cleanup.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { startBareServer } from './bare.ts';
import { MAX_PEAK_RSS_MB, type WriteBudget, type WriteCase } from './cases.ts';
import { checkDelivery, type Delivery } from './delivery.ts';
import { type Figures, inTurns, measureWrites, summaryOf, warmUp } from './measure.ts';
import { startReverseProxy, startSink } from './nginx.ts';
import {
  type Budget,
  decimals,
  millions,
  mustBe,
  type Row,
  type Section,
  whole,
} from './report.ts';
import type { Server } from './server.ts';
import type { Settings } from './settings.ts';
import { keymapsOf, startProxyTo } from './topology.ts';
import { WrkLoad } from './wrk.ts';

interface References {
  readonly nginx: Figures;
  readonly bare: Figures;
}

/** One section for the case, one more for `gzip: false` where it has a budget. All servers take turns in the same runs. */
export async function runWriteCase(
  t: CleanupStack,
  folder: string,
  benchCase: WriteCase,
  { seconds }: Settings,
): Promise<Section[]> {
  const { id, title, load, topology, budget, plainBudget } = benchCase;
  const delivery = await checkDelivery(benchCase);
  const sinks: string[] = [];
  for (let index = 0; index < topology.backends; index++) {
    sinks.push((await startSink(t, folder, `sink${index}`)).origin);
  }
  const own = await startProxyTo(t, sinks, keymapsOf(topology));
  const nginx = await startReverseProxy(t, folder, sinks[0] ?? '');
  const bare = await startBareServer(t);
  const servers = [serverOf(own), nginx, bare];
  const plain = plainBudget && (await startProxyTo(t, sinks, keymapsOf(topology), { gzip: false }));
  if (plain !== undefined) servers.push(serverOf(plain));

  const wrk = await WrkLoad.ofWrites(folder, id, load, topology.stream);
  const proxies = plain === undefined ? [own] : [own, plain];
  await warmUp(wrk, { own: proxies.map(({ url }) => url), others: [nginx.origin, bare.origin] });
  const runs = await inTurns(servers, (server) =>
    measureWrites(server, wrk, load.linesPerBody, seconds),
  );
  const [ofOwn, ofNginx, ofBare, ofPlain] = runs.map(summaryOf);
  if (ofOwn === undefined || ofNginx === undefined || ofBare === undefined) {
    throw new Error('BUG: a server without figures');
  }
  const references = { nginx: ofNginx, bare: ofBare };
  const sections: Section[] = [
    {
      id,
      title,
      rows: [...speedRows(ofOwn, references, budget), ...deliveryRows(delivery), spilledRow(own)],
    },
  ];
  if (plain !== undefined && ofPlain !== undefined && plainBudget !== undefined) {
    sections.push({
      id,
      title: `${title}; gzip: false to the backends`,
      rows: [...speedRows(ofPlain, references, plainBudget), spilledRow(plain)],
    });
  }
  return sections;
}

function serverOf({ url, pid }: ProxyProcess): Server {
  return { origin: url, pid };
}

function speedRows(own: Figures, { nginx, bare }: References, budget: WriteBudget): Row[] {
  const all = (key: keyof Figures): Pick<Row, 'own' | 'nginx' | 'bare'> => ({
    own: own[key],
    nginx: nginx[key],
    bare: bare[key],
  });
  return [
    {
      figure: 'lines/s',
      format: millions,
      ...all('linesPerSecond'),
      budget: atLeast(budget.minLinesPerSecond),
    },
    {
      figure: 'lines/s, times nginx',
      format: decimals(2),
      own: own.linesPerSecond / nginx.linesPerSecond,
      budget: atLeast(budget.minTimesNginx),
    },
    {
      figure: 'lines/s, times bare node',
      format: decimals(2),
      own: own.linesPerSecond / bare.linesPerSecond,
      budget: atLeast(budget.minTimesBare),
    },
    {
      figure: 'CPU seconds per million lines',
      format: decimals(2),
      ...all('cpuPerMillion'),
      budget: atMost(budget.maxCpuPerMillion),
    },
    { figure: 'p50 ms', format: decimals(1), ...all('p50Ms') },
    { figure: 'p99 ms', format: decimals(1), ...all('p99Ms'), budget: atMost(budget.maxP99Ms) },
    {
      figure: 'peak RSS MB',
      format: whole,
      ...all('peakRssMb'),
      budget: { atMost: MAX_PEAK_RSS_MB },
    },
    mustBe('errors', 0, own.errors),
  ];
}

/** Of the run apart in which every line was followed. */
function deliveryRows(delivery: Delivery): Row[] {
  const { acknowledged, refused, missing, repeated, astray, altered } = delivery;
  return [
    { figure: 'lines followed to the sinks', format: whole, own: acknowledged },
    mustBe(
      '... refused, lost, doubled, astray or altered',
      0,
      refused + missing + repeated + astray + altered,
    ),
  ];
}

/** Times that the proxy thought a sink slow and wrote to disk instead; such runs measure something else. */
function spilledRow(proxy: ProxyProcess): Row {
  return {
    figure: 'times spilled',
    format: whole,
    own: proxy.logged('backend is catching up').length,
  };
}

function atLeast(limit: number | undefined): Budget | undefined {
  return limit === undefined ? undefined : { atLeast: limit };
}

function atMost(limit: number | undefined): Budget | undefined {
  return limit === undefined ? undefined : { atMost: limit };
}
