import { request } from 'node:http';
import { strict as assert } from 'node:assert';
import type { CleanupStack } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { inTurns, warmUp } from './measure.ts';
import { startReverseProxy } from './nginx.ts';
import { decimals, mustBe, type Row, type Section, whole } from './report.ts';
import type { Settings } from './settings.ts';
import { median } from './statistics.ts';
import { backendName, startProxyTo } from './topology.ts';
import { peakRssMb, resetPeakRss, rssMb } from './usage.ts';
import { type LoadResult, WrkLoad } from './wrk.ts';

const SMALL = 'SELECT value FROM small LIMIT 1';
const LARGE = 'SELECT value FROM large';
const CONNECTIONS = [1, 16];

/** Rows of `large`, each with a string of so many characters: an answer of 50 MB. */
const LARGE_ROWS = 50_000;
const LARGE_VALUE_BYTES = 960;
const ROWS_PER_WRITE = 5_000;

const MAX_GROWTH_MB = 20;

/** One figure of each of them. */
type Columns = ReturnType<typeof columns>;

/** Who answers: the proxy in front of one influxd, nginx in front of it, itself. */
type Origins = readonly [own: string, nginx: string, direct: string];

export async function runQueries(
  t: CleanupStack,
  folder: string,
  { seconds }: Settings,
): Promise<Section[]> {
  const influxd = await startInfluxd(t);
  await fill(influxd);
  const route = [backendName(0)];
  const proxy = await startProxyTo(t, [influxd.url], { small: route, large: route });
  await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  const nginx = await startReverseProxy(t, folder, influxd.url);
  const origins: Origins = [proxy.url, nginx.origin, influxd.url];
  await checkEqualAnswers(origins);
  const sections: Section[] = [];
  const wide = await WrkLoad.ofQuery(folder, SMALL, Math.max(...CONNECTIONS));
  await warmUp(wide, { own: [proxy.url], others: [nginx.origin, influxd.url] });
  for (const connections of CONNECTIONS) {
    const wrk = await WrkLoad.ofQuery(folder, SMALL, connections);
    const runs = await inTurns(origins, (origin) => wrk.run(origin, seconds));
    const title = `SELECT ... LIMIT 1 of a real influxd, connections: ${connections}`;
    sections.push({ id: 'g', title, rows: smallRows(runs) });
  }
  const rows = await largeRows(origins, proxy);
  sections.push({ id: 'g', title: 'SELECT of 50 MB of a real influxd', rows });
  return sections;
}

async function fill(influxd: Influxd): Promise<void> {
  await influxd.createDatabase('bench');
  await influxd.write('bench', 'small value=1 1700000000000000000');
  for (let from = 0; from < LARGE_ROWS; from += ROWS_PER_WRITE) {
    const lines = Array.from({ length: ROWS_PER_WRITE }, (_, index) => {
      const text = String(from + index).padEnd(LARGE_VALUE_BYTES, '.');
      return `large value="${text}" ${1_700_000_000 + from + index}`;
    });
    await influxd.write('bench', lines, { precision: 's' });
  }
}

/** Speed of a wrong answer says nothing; wrk does not look into a 200. */
async function checkEqualAnswers(origins: Origins): Promise<void> {
  const bodies: string[] = [];
  for (const origin of origins) bodies.push((await httpRequest(queryUrl(origin, SMALL))).text);
  assert.match(bodies[0] ?? '', /"values":\[\[/);
  assert.equal(new Set(bodies).size, 1, bodies.join());
}

function smallRows(runs: readonly LoadResult[][]): Row[] {
  const medians = (figureOf: (run: LoadResult) => number): Columns =>
    columns(runs.map((ofServer) => median(ofServer.map(figureOf))));
  const speed = medians(({ requests, seconds }) => requests / seconds);
  const errors = runs.flat().reduce((sum, run) => sum + run.errors, 0);
  return [
    { figure: 'queries/s', format: whole, ...speed },
    timesDirect('queries/s, times direct', speed),
    { figure: 'p50 ms', format: decimals(2), ...medians(({ p50Ms }) => p50Ms) },
    { figure: 'p99 ms', format: decimals(2), ...medians(({ p99Ms }) => p99Ms) },
    mustBe('errors', 0, errors),
  ];
}

async function largeRows(origins: Origins, proxy: ProxyProcess): Promise<Row[]> {
  const growths: number[] = [];
  const bytes = new Set<number>();
  const runs = await inTurns(origins, async (origin) => {
    const before = await rssMb(proxy.pid);
    await resetPeakRss(proxy.pid);
    const start = performance.now();
    const read = await bytesOf(queryUrl(origin, LARGE));
    const seconds = (performance.now() - start) / 1_000;
    if (origin === proxy.url) growths.push((await peakRssMb(proxy.pid)) - before);
    bytes.add(read);
    return read / 1e6 / seconds;
  });
  const speed = columns(runs.map(median));
  return [
    { figure: 'MB/s', format: whole, ...speed },
    timesDirect('MB/s, times direct', speed),
    {
      figure: 'growth of RSS, MB',
      format: decimals(1),
      own: Math.max(...growths),
      budget: { atMost: MAX_GROWTH_MB },
    },
    mustBe('answers of another length than the others', 0, bytes.size - 1),
  ];
}

function columns(figures: readonly number[]): { own: number; nginx: number; direct: number } {
  const [own = NaN, nginx = NaN, direct = NaN] = figures;
  return { own, nginx, direct };
}

/** nginx's share of what the server can do alone, or better. */
function timesDirect(figure: string, speed: Columns): Row {
  const nginx = speed.nginx / speed.direct;
  const own = speed.own / speed.direct;
  return { figure, format: decimals(2), own, nginx, budget: { atLeast: nginx } };
}

function queryUrl(origin: string, query: string): string {
  return `${origin}/query?${new URLSearchParams({ db: 'bench', q: query }).toString()}`;
}

/** Reads an answer without keeping it. */
function bytesOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false }, (answer) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.on('end', () => {
        resolve(bytes);
      });
      answer.on('error', reject);
    });
    outgoing.on('error', reject).end();
  });
}
