import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CleanupStack } from '../support/cleanup.ts';
import { growBacklog } from './backlog.ts';
import { type Load, MAX_PEAK_RSS_MB } from './cases.ts';
import { type Axis, type Curve, type Point, svgOf } from './chart.ts';
import { type LineStream, measurementsOf } from './lines.ts';
import { type Figures, measureWrites, warmUp } from './measure.ts';
import { startSink } from './nginx.ts';
import { MAX_OUTAGE_RSS_MB } from './outage.ts';
import { type Budget, decimals, machineName, type Row, type Section, whole } from './report.ts';
import type { Server } from './server.ts';
import type { Settings } from './settings.ts';
import { backendName, startProxyTo } from './topology.ts';
import { WrkLoad } from './wrk.ts';

/** In the repository, not in dist: the README shows it. */
const SVG_PATH = path.resolve(import.meta.dirname, '../../../test/bench/curves.svg');

/** What is at x, and the load that shows its cost. */
interface Probe {
  readonly x: number;
  readonly load: Load;
  readonly stream: LineStream;
}

const LOAD: Load = { linesPerBody: 1_000, gzip: false, connections: 4, bodies: 16 };
const EIGHT: LineStream = { measurements: 8 };
const ALL: LineStream = { measurements: 10_000 };
const BACKENDS = 6;

const BATCH_SIZES = [1, 10, 100, 1_000, 5_000].map((x): Probe => {
  const bodies = Math.min(2_000, Math.ceil(50_000 / x));
  return { x, stream: EIGHT, load: { ...LOAD, linesPerBody: x, bodies, connections: 16 } };
});

const MEASUREMENTS = [1, 10, 100, 1_000, ALL.measurements].map((x): Probe => ({
  x,
  stream: { measurements: x },
  load: LOAD,
}));

const streamTo = (backends: number): LineStream => ({ ...EIGHT, prefix: `to${backends}_` });
const BACKEND_COUNTS = [1, 2, 3, 4, BACKENDS];
const BACKENDS_OF_ROUTE = BACKEND_COUNTS.map((x): Probe => ({
  x,
  stream: streamTo(x),
  load: LOAD,
}));

const CONNECTIONS = [1, 4, 16, 64, 256].map((x): Probe => {
  const load = { linesPerBody: 100, gzip: false, bodies: 160, connections: x };
  return { x, stream: EIGHT, load };
});

/** What a load costs as one number grows, drawn as a picture; in the table, the growth from the first to the last point. */
export async function runCurves(
  t: CleanupStack,
  folder: string,
  { seconds }: Settings,
): Promise<Section[]> {
  const sinks: string[] = [];
  for (let index = 0; index < BACKENDS; index++) {
    sinks.push((await startSink(t, folder, `sink${index}`)).origin);
  }
  const prober = async (): Promise<Prober> => {
    const { url, pid } = await startProxyTo(t, sinks, keymaps());
    return new Prober({ origin: url, pid }, folder, seconds);
  };
  const cpu = await prober();
  await cpu.warmUp({ load: LOAD, stream: EIGHT });
  const ofBatchSizes = pointsOf(await cpu.figuresAt(BATCH_SIZES), 'cpuPerMillion');
  const ofMeasurements = pointsOf(await cpu.figuresAt(MEASUREMENTS), 'cpuPerMillion');
  const ofBackends = pointsOf(await cpu.figuresAt(BACKENDS_OF_ROUTE), 'cpuPerMillion');
  // Memory that was taken once is rarely given back: proxies of their own.
  const atConnections = await (await prober()).figuresAt(CONNECTIONS);
  const rssOfConnections = pointsOf(atConnections, 'peakRssMb');
  const rssOfBacklog = await growBacklog(t, sinks[0] ?? '');

  const curves: Curve[] = [
    curve('Lines per request', [log('lines per request'), log(CPU)], ofBatchSizes),
    curve('Measurements', [log('measurements in the load'), linear(CPU)], ofMeasurements),
    curve('Backends', [linear('backends, each gets every point'), linear(CPU)], ofBackends),
    curve('Connections', [log('connections, 100 lines a request'), linear(RSS)], rssOfConnections),
    curve('Backlog', [linear('backlog on disk, MB'), linear(RSS)], rssOfBacklog),
    curve(
      'Latency at saturation',
      [log('connections, 100 lines a request'), log('p99, ms')],
      pointsOf(atConnections, 'p99Ms'),
    ),
  ];
  const drawn = curves.filter(({ points }) => points.length > 0);
  await writeFile(SVG_PATH, svgOf(drawn, machineName()));
  const rows = [
    growth('CPU per line, lines a request', ofBatchSizes),
    growth('CPU per line, measurements', ofMeasurements),
    growth('CPU per line, backends', ofBackends),
    last('peak RSS MB, connections', rssOfConnections, { atMost: MAX_PEAK_RSS_MB }),
    last('peak RSS MB, MB of backlog', rssOfBacklog, { atMost: MAX_OUTAGE_RSS_MB }),
  ];
  return [{ id: 'curves', title: 'how costs grow: test/bench/curves.svg', rows }];
}

/** Streams of at most `ALL.measurements` go to two backends, those of `streamTo` to as many as they say. */
function keymaps(): Record<string, string[]> {
  const backends = Array.from({ length: BACKENDS }, (_, index) => backendName(index));
  const routes: [LineStream, number][] = BACKEND_COUNTS.map((count) => [streamTo(count), count]);
  routes.push([ALL, 2]);
  return Object.fromEntries(
    routes.flatMap(([stream, count]) =>
      measurementsOf(stream).map((name) => [name, backends.slice(0, count)]),
    ),
  );
}

interface At {
  readonly x: number;
  readonly figures: Figures;
}

/** Puts one server under one load after the other. */
class Prober {
  readonly #server: Server;
  readonly #folder: string;
  readonly #seconds: number;

  constructor(server: Server, folder: string, seconds: number) {
    this.#server = server;
    this.#folder = folder;
    this.#seconds = seconds;
  }

  async warmUp({ load, stream }: Pick<Probe, 'load' | 'stream'>): Promise<void> {
    const wrk = await WrkLoad.ofWrites(this.#folder, 'curve', load, stream);
    await warmUp(wrk, { own: [this.#server.origin], others: [] });
  }

  async figuresAt(probes: readonly Probe[]): Promise<At[]> {
    const all: At[] = [];
    for (const { x, load, stream } of probes) {
      const wrk = await WrkLoad.ofWrites(this.#folder, 'curve', load, stream);
      const { linesPerBody } = load;
      all.push({ x, figures: await measureWrites(this.#server, wrk, linesPerBody, this.#seconds) });
    }
    return all;
  }
}

/** Less those where the machine was too busy for a single answer. */
function pointsOf(all: readonly At[], key: keyof Figures): Point[] {
  return all
    .filter(({ figures }) => figures.linesPerSecond > 0)
    .map(({ x, figures }) => [x, figures[key]]);
}

const CPU = 'CPU s per million lines';
const RSS = 'peak RSS, MB';
const log = (label: string): Axis => ({ label, scale: 'log' });
const linear = (label: string): Axis => ({ label, scale: 'linear' });

function curve(title: string, [x, y]: readonly [Axis, Axis], points: readonly Point[]): Curve {
  return { title, x, y, points };
}

/** How many times the first point the last one is. */
function growth(what: string, points: readonly Point[]): Row {
  const [from, to] = endsOf(points);
  const figure = `${what}: ${whole(to[0])} to ${whole(from[0])}`;
  return { figure, format: decimals(3), own: to[1] / from[1], points };
}

function last(what: string, points: readonly Point[], budget: Budget): Row {
  const [, to] = endsOf(points);
  return { figure: `${what}: ${whole(to[0])}`, format: whole, own: to[1], budget, points };
}

function endsOf(points: readonly Point[]): readonly [first: Point, last: Point] {
  return [points[0] ?? [0, NaN], points.at(-1) ?? [0, NaN]];
}
