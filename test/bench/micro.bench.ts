import { gunzipSync, gzipSync } from 'node:zlib';
import { scanLines } from '../../src/lineprotocol/scanner.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { Splitter } from '../../src/write/splitter.ts';
import { bodyOf, MEASUREMENTS } from './lines.ts';
import { median } from './statistics.ts';

const LINES = 1_000;
/** More than fit the CPU's inner caches, as bodies that come from a socket do not either. */
const BODIES = 32;

const WARM_UP_MS = 500;
const RUN_MS = 300;
const RUNS = 7;

const bodies = Array.from({ length: BODIES }, (_, index) => bodyOf(index * LINES, LINES, false));
const zipped = bodies.map((body) => gzipSync(body, { level: 1 }));
const unsorted = bodies.map((body) => Buffer.from(body.toString().replace(/ \d+$/gm, '')));

/** Works on body number `turn` and returns how many lines came out, so that nothing is optimised away. */
type Work = (turn: number) => number;

const IGNORE = {
  point: () => undefined,
  invalid: () => undefined,
};

function split(body: Buffer, keymap: Keymap): number {
  const splitter = new Splitter(body, {
    routeOf: (measurement) => keymap.routeOf(measurement),
    maxPointsOf: () => 10_000,
    stamp: Buffer.from(' 1700000000000000000\n'),
  });
  scanLines(body, 'ns', splitter);
  let points = 0;
  for (const { lines } of splitter.parts()) points += lines.points;
  return points;
}

/** Every other line goes elsewhere: the most pieces that a body can be cut into. */
const alternating = new Keymap(
  Object.fromEntries(MEASUREMENTS.map((name, index) => [name, [index % 2 === 0 ? 'one' : 'two']])),
);
const oneRoute = new Keymap(Object.fromEntries(MEASUREMENTS.map((name) => [name, ['one', 'two']])));

const at = (buffers: readonly Buffer[], turn: number): Buffer => {
  const buffer = buffers[turn % buffers.length];
  if (buffer === undefined) throw new Error('BUG: no body');
  return buffer;
};

const WORK: Readonly<Record<string, Work>> = {
  scan: (turn) => {
    scanLines(at(bodies, turn), 'ns', IGNORE);
    return LINES;
  },
  'scan, split, one route': (turn) => split(at(bodies, turn), oneRoute),
  'scan, split, two routes': (turn) => split(at(bodies, turn), alternating),
  'scan, split, stamp': (turn) => split(at(unsorted, turn), oneRoute),
  copy: (turn) => Buffer.concat([at(bodies, turn), at(bodies, turn + 1)]).length && 2 * LINES,
  'gzip level 1': (turn) => gzipSync(at(bodies, turn), { level: 1 }).length && LINES,
  gunzip: (turn) => gunzipSync(at(zipped, turn)).length && LINES,
};

/** Lines of one run over seconds of CPU; other programs on the machine stretch the clock, not this. */
function linesPerCpuSecond(work: Work, ms: number): number {
  const end = performance.now() + ms;
  const before = process.cpuUsage();
  let lines = 0;
  for (let turn = 0; performance.now() < end; turn++) lines += work(turn);
  const { user, system } = process.cpuUsage(before);
  return lines / ((user + system) / 1e6);
}

const bytesPerLine = bodies.reduce((sum, { length }) => sum + length, 0) / (BODIES * LINES);
process.stdout.write(`lines of ${bytesPerLine.toFixed(0)} bytes, ${LINES} in a body\n`);
for (const [name, work] of Object.entries(WORK)) {
  linesPerCpuSecond(work, WARM_UP_MS);
  const speed = median(Array.from({ length: RUNS }, () => linesPerCpuSecond(work, RUN_MS)));
  const cells = [
    `${(speed / 1e6).toFixed(2)} M lines/s`,
    `${((speed * bytesPerLine) / 1e6).toFixed(0)} MB/s`,
    `${(1e6 / speed).toFixed(3)} CPU s/M lines`,
  ];
  process.stdout.write(`${name.padEnd(26)}${cells.map((cell) => cell.padStart(22)).join('')}\n`);
}
