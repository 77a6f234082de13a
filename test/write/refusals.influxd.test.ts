import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import type { Outcome } from '../../src/backend/outcome.ts';
import { InfluxServer } from '../../src/backend/influxdb.ts';
import { systemClock } from '../../src/core/time.ts';
import { findRefused, isRejection } from '../../src/write/refusals.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';

const POINTS = 10_000;
const WEEK_NS = 7 * 24 * 3600 * 1e9;

/** Numbers of lines that are at fault. */
type Faulty = (index: number) => boolean;

function lineOf(value: string, index: number): string {
  return `m,l=l${index % 100} v=${value} ${index}\n`;
}

const one: Faulty = (index) => index === 4711;
const aTenth: Faulty = (index) => index % 10 === 3;
const half: Faulty = (index) => index % 2 === 1;
const all: Faulty = () => true;

function wrong(isFaulty: Faulty, fault: string): (index: number) => string {
  return (index) => lineOf(isFaulty(index) ? fault : '1', index);
}

/** The lines, those of them that must be refused, and the most requests that finding them may take. */
const cases: [
  name: string,
  line: (index: number) => string,
  refused: Faulty,
  maxRequests: number,
][] = [
  ['one type conflict', wrong(one, '"x"'), one, 3],
  ['1,000 type conflicts, interleaved', wrong(aTenth, '"x"'), aTenth, 3],
  ['5,000 type conflicts, interleaved', wrong(half, 't'), half, 3],
  ['10,000 type conflicts', wrong(all, '1i'), all, 1],
  ['1,000 lines that do not parse, interleaved', wrong(aTenth, '1u'), aTenth, 3],
  ['10,000 lines that do not parse', wrong(all, '1u'), all, 1],
  [
    'two kinds of faults, interleaved',
    (index) => lineOf(half(index) ? '1u' : index % 10 === 4 ? '"x"' : '1', index),
    (index) => half(index) || index % 10 === 4,
    5,
  ],
  [
    '1,000 type conflicts, each in a measurement of its own',
    (index) => (aTenth(index) ? `m${index} v="x" 1\n` : lineOf('1', index)),
    aTenth,
    3,
  ],
  [
    '5,000 type conflicts over 50 shards, shuffled',
    (index) => `m v=${half(index) ? '"x"' : '1'} ${((index * 37) % 50) * WEEK_NS + index}\n`,
    half,
    250,
  ],
];

/** The answer to a write of all lines to a new database that has seen `v` as a float everywhere, then the search. */
async function search(t: TestContext, influxd: Influxd, lines: readonly string[]) {
  const db = `d${performance.now()}`;
  await influxd.createDatabase(db);
  const connection = { username: '', password: '', timeout: 30_000, timeoutQuery: 30_000 };
  const server = new InfluxServer({ ...connection, url: influxd.url, db }, systemClock);
  t.after(() => server.close());
  const before = lines.map((line) => line.replace(/ v=\S+ (\d+)\n/, ' v=0 $1'));
  await influxd.write(db, before);
  let requests = 0;
  const send = (payload: Buffer): Promise<Outcome> => {
    requests += 1;
    return server.write({ rp: '', precision: 'ns', payload, gzipped: false });
  };
  const payload = Buffer.from(lines.join(''));
  const answer = await send(payload);
  assert.ok(isRejection(answer));
  const result = await findRefused(payload, answer, { send, maxRefusals: Infinity });
  assert.ok(result.kind === 'searched');
  const refused = result.refused.flatMap((piece) => piece.payload.toString().match(/.*\n/g) ?? []);
  const query = await influxd.query(db, 'SELECT count(v) FROM /.*/ WHERE v = 1');
  const counts = query.results?.[0]?.series?.flatMap(({ values }) => Number(values?.[0]?.[1]));
  const stored = counts?.reduce((sum, count) => sum + count, 0) ?? 0;
  return { requests, refused, stored };
}

test('what a real server refuses of 10,000 lines is found in few requests, the others are stored', async (t) => {
  const influxd = await startInfluxd(t);
  for (const [name, line, isRefused, maxRequests] of cases) {
    await t.test(name, async (t) => {
      const indexes = Array.from({ length: POINTS }, (_, index) => index);
      const lines = indexes.map(line);
      const bad = lines.filter((_, index) => isRefused(index));
      const { requests, refused, stored } = await search(t, influxd, lines);
      t.diagnostic(`${requests} requests`);
      assert.deepEqual(refused.toSorted(), bad.toSorted());
      assert.equal(stored, POINTS - bad.length);
      assert.ok(requests <= maxRequests, `${requests} requests`);
    });
  }
});
