import { gunzipSync, gzipSync } from 'node:zlib';
import type { LineVisitor } from '../../src/lineprotocol/line-visitor.ts';
import { parseQuery } from '../../src/influxql/parser.ts';
import { LineScanner } from '../../src/lineprotocol/scanner.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { checksumOf, decodeHeader, encodeHeader } from '../../src/spill/record.ts';
import { Batch, type Part } from '../../src/write/batch.ts';
import { Compressor } from '../../src/write/compressor.ts';
import { RouteCache } from '../../src/write/route-cache.ts';
import { Splitter } from '../../src/write/splitter.ts';
import { bodyOf } from './lines.ts';
import { type Row, whole } from './report.ts';
import { median } from './statistics.ts';
import { keymapsOf, ONE_ROUTE, type Topology, TWO_ROUTES } from './topology.ts';

const LINES = 1_000;
/** More than fit the CPU's inner caches, as bodies that come from a socket do not either. */
const BODIES = 32;

// Of CPU, as what is measured: by the clock a busy machine would leave too little for the compiler to see what is hot.
const WARM_UP_MS = 300;
const RUN_MS = 150;
const RUNS = 3;

/** A part of the program by itself, on one thread, over data made before. A new part is an entry of MICROS. */
interface Micro {
  readonly name: string;
  /** What is counted. */
  readonly unit: 'lines' | 'records' | 'statements';
  /** Input number `turn` goes through the part; so many units came out: nothing can be optimised away. */
  readonly work: (turn: number) => number | Promise<number>;
  /** On average. */
  readonly bytesPerUnit: number;
}

/** Per second of CPU, not of the clock: other programs on the machine stretch that. */
export async function microRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, unit, work, bytesPerUnit } of MICROS) {
    await unitsPerCpuSecond(work, WARM_UP_MS);
    const speeds: number[] = [];
    for (let run = 0; run < RUNS; run++) speeds.push(await unitsPerCpuSecond(work, RUN_MS));
    const own = median(speeds);
    const note = `${((own * bytesPerUnit) / 1e6).toFixed(0)} MB/s`;
    rows.push({ figure: `${name}, ${unit}/s`, format: whole, own, note });
  }
  return rows;
}

async function unitsPerCpuSecond(work: Micro['work'], ms: number): Promise<number> {
  const before = process.cpuUsage();
  let units = 0;
  for (let turn = 0; ; turn++) {
    units += await work(turn);
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    if (seconds * 1e3 >= ms) return units / seconds;
  }
}

const bodies = Array.from({ length: BODIES }, (_, index) =>
  bodyOf(ONE_ROUTE.stream, index * LINES, LINES),
);
const gzipped = bodies.map((body) => gzipSync(body, { level: 1 }));
const withoutTime = bodies.map((body) => Buffer.from(body.toString().replace(/ \d+$/gm, '')));
const bytesPerLine = bodies.reduce((sum, { length }) => sum + length, 0) / (BODIES * LINES);

const scanner = new LineScanner();

const oneRoute = installationOf(ONE_ROUTE);
const twoRoutes = installationOf(TWO_ROUTES);

interface Installation {
  readonly keymap: Keymap;
  readonly cache: RouteCache;
}

function installationOf(topology: Topology): Installation {
  return { keymap: new Keymap(keymapsOf(topology)), cache: new RouteCache() };
}

function scan(body: Buffer, visitor: LineVisitor): number {
  let at = 0;
  for (at of scanner.scan(body, 'ns', visitor));
  return at;
}

function split(body: Buffer, { keymap, cache }: Installation): number {
  const splitter = new Splitter(body, {
    routeOf: (measurement) => keymap.routeOf(measurement),
    maxPointsOf: () => 10_000,
    makeStamp: () => Buffer.from(' 1700000000000000000\n'),
    cache,
  });
  scan(body, splitter);
  let points = 0;
  for (const { lines } of splitter.parts()) points += lines.points;
  return points;
}

/** What a busy proxy gathers: ten requests of a hundred lines each, compressed as one. */
async function gzipBatch(turn: number): Promise<number> {
  const body = at(bodies, turn);
  const bytes = Math.floor(body.length / 10);
  const parts = Array.from({ length: 10 }, (_, index): Part => {
    const payload = body.subarray(index * bytes, (index + 1) * bytes);
    return { payload, points: LINES / 10, arrivedAt: 0, reservedBytes: 0 };
  });
  const batch = new Batch(
    { routeId: 0, rp: '', precision: 'ns' },
    parts,
    new Compressor({ level: 1 }),
  );
  await batch.gzipped();
  return batch.points;
}

const SALT = 0x5eed;
const RECORDS = 100;

/** The headers and checksums of as many records as there are in some megabytes of a spill, written and read. */
function codeRecords(turn: number): number {
  const payload = at(gzipped, turn);
  let read = 0;
  for (let sequence = 1; sequence <= RECORDS; sequence++) {
    const header = encodeHeader(
      {
        ...{ kind: 'batch', points: LINES, db: 'bench', rp: '', precision: 'ns', sequence },
        payloadBytes: payload.length,
        payloadChecksum: checksumOf([payload]),
      },
      SALT,
    );
    const decoded = decodeHeader(header, 0, SALT);
    if (typeof decoded === 'object' && decoded.payloadChecksum === checksumOf([payload])) read += 1;
  }
  return read;
}

/** What a Grafana panel asks, and what people type. */
const QUERIES = [
  `SELECT mean("usage_idle") FROM "cpu" WHERE ("host" =~ /^server-00[0-9]+$/ AND "os" = 'linux') AND time >= now() - 6h GROUP BY time(1m), "host" fill(null)`,
  `SELECT non_negative_derivative(mean("bytes_recv"), 1s) AS "in", percentile("packets_recv", 99) FROM "autogen"."net" WHERE time > 1700000000000ms and time < 1700003600000ms GROUP BY time(10s), * fill(previous) ORDER BY time DESC LIMIT 100 TZ('Europe/Berlin')`,
  `SHOW TAG VALUES FROM "cpu" WITH KEY = "host" WHERE "rack" = 'r1'`,
  `SELECT last(usage_user) FROM cpu`,
];
const STATEMENTS = 100;

function parseStatements(): number {
  let statements = 0;
  for (let turn = 0; turn < STATEMENTS; turn++) {
    const parsed = parseQuery(at(QUERIES, turn));
    if (parsed.ok) statements += parsed.statements.length;
  }
  return statements;
}

const IGNORE = { point: () => undefined, invalid: () => undefined };

/** Of work on lines. */
const ofLines = (name: string, work: Micro['work']): Micro => ({
  ...{ name, work, unit: 'lines', bytesPerUnit: bytesPerLine },
});

const MICROS: readonly Micro[] = [
  ofLines('scan', (turn) => scan(at(bodies, turn), IGNORE) && LINES),
  ofLines('scan, split, one route', (turn) => split(at(bodies, turn), oneRoute)),
  ofLines('scan, split, two routes', (turn) => split(at(bodies, turn), twoRoutes)),
  ofLines('scan, split, stamp', (turn) => split(at(withoutTime, turn), oneRoute)),
  ofLines(
    'copy',
    (turn) => Buffer.concat([at(bodies, turn), at(bodies, turn + 1)]).length && 2 * LINES,
  ),
  ofLines('batch, gzip level 1', gzipBatch),
  ofLines('gunzip', (turn) => gunzipSync(at(gzipped, turn)).length && LINES),
  {
    name: 'spill record: encode, decode, check',
    unit: 'records',
    work: codeRecords,
    bytesPerUnit: gzipped.reduce((sum, { length }) => sum + length, 0) / BODIES,
  },
  {
    name: 'parse InfluxQL',
    unit: 'statements',
    work: parseStatements,
    bytesPerUnit: QUERIES.reduce((sum, { length }) => sum + length, 0) / QUERIES.length,
  },
];

function at<T>(values: readonly T[], turn: number): T {
  const value = values[turn % values.length];
  if (value === undefined) throw new Error('BUG: no input');
  return value;
}
