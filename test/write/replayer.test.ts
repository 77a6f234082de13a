import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { WriteBody } from '../../src/backend/influxdb.ts';
import type { Outcome } from '../../src/backend/outcome.ts';
import { systemClock } from '../../src/core/time.ts';
import { CURSOR_FILE } from '../../src/spill/cursor.ts';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import { Spill } from '../../src/spill/spill.ts';
import { RefusedPoints } from '../../src/write/refused-points.ts';
import { Replayer, type ReplayerOptions } from '../../src/write/replayer.ts';
import { eventually } from '../support/eventually.ts';
import { fakeLog } from '../support/fake-log.ts';
import { HeldDisk } from './held-disk.ts';

const LOCATION = { directory: '/spill', maxBytes: 100_000_000, segmentBytes: 10_000_000 };

const NEVER = new AbortController().signal;

/** What a server is sent, inflated, and what it answers: its words tell nothing. */
function serverThatRefuses(isBad: (line: string) => boolean) {
  const bodies: string[] = [];
  const stored: string[] = [];
  const send = ({ payload, gzipped }: WriteBody): Promise<Outcome> => {
    const body = (gzipped ? gunzipSync(payload) : payload).toString();
    bodies.push(body);
    const lines = linesIn(body);
    stored.push(...lines.filter((line) => !isBad(line)));
    if (!lines.some(isBad)) return Promise.resolve({ kind: 'stored' });
    return Promise.resolve({ kind: 'refused', status: 400, error: 'no', scope: 'lines' });
  };
  return { bodies, stored, send };
}

function linesIn(body: string): string[] {
  return body.split('\n').slice(0, -1);
}

/** A spill that holds these records, each of some lines, and what replays it. */
async function spillOf(
  records: readonly (readonly string[])[],
  send: (body: WriteBody) => Promise<Outcome>,
  options: Partial<ReplayerOptions> = {},
  gzip: (text: string) => Buffer = gzipSync,
) {
  const [disk, log] = [new HeldDisk(), fakeLog()];
  const spill = await Spill.open(LOCATION, { disk, log });
  const append = (lines: readonly string[], rp = ''): Promise<number> => {
    const payload = gzip(lines.map((line) => `${line}\n`).join(''));
    const record = { kind: 'batch', points: lines.length, db: 'db', rp, precision: 'ns' } as const;
    assert.ok(spill.tryReserve(payload.length));
    return spill.append({ ...record, payload });
  };
  await Promise.all(records.map((lines) => append(lines)));
  const deadLetter = await DeadLetter.open('/dead', disk);
  const refusedPoints = new RefusedPoints('a', { deadLetter, log, clock: systemClock });
  const replayer = new Replayer(
    { name: 'a', maxRowLimit: 10_000, gzip: true, spillAfter: 60_000, ...options },
    {
      ...{ spill, refusedPoints, send, log, clock: systemClock },
      execute: () => Promise.reject(new Error('no statement is in the spill')),
    },
  );
  return { disk, log, spill, append, replayer };
}

/** Replays these records until the spill is empty. */
async function replay(...args: Parameters<typeof spillOf>) {
  const { disk, log, spill, replayer } = await spillOf(...args);
  while (!spill.isEmpty) assert.equal((await replayer.step(NEVER)).kind, 'moved');
  const dead = (disk.files().get('/dead')?.toString() ?? '').split('\n').slice(0, -1);
  return { dead: dead.map((json) => (JSON.parse(json) as { line: string }).line), log };
}

function numbered(count: number, name: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => `${name(index)} v=${index} ${index}`);
}

function isBad(line: string): boolean {
  return line.startsWith('bad');
}

test('one bad record among many that share a request costs few requests', async () => {
  const lines = numbered(5_000, (index) => (index === 1234 ? 'bad' : 'm'));
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const { dead } = await replay(
    lines.map((line) => [line]),
    send,
  );
  assert.deepEqual(dead, [lines[1234]]);
  assert.deepEqual(new Set(stored), new Set(lines.filter((line) => !isBad(line))));
  assert.ok(bodies.length <= 40, `${bodies.length} requests`);
});

test('a record with more faults than can be told apart ends the search, and takes nobody with it', async () => {
  const others = numbered(500, () => 'm');
  const hopeless = numbered(10_000, (index) => (index % 2 === 0 ? 'bad' : 'good'));
  const records = others.map((line) => [line]);
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const { dead, log } = await replay(
    [...records.slice(0, 250), hopeless, ...records.slice(250)],
    send,
    { maxRowLimit: 100_000 },
  );
  assert.ok(bodies.length <= 3_000, `${bodies.length} requests`);
  assert.deepEqual(new Set(stored.filter((line) => line.startsWith('m '))), new Set(others));
  assert.deepEqual(
    dead.filter((line) => !hopeless.includes(line)),
    [],
    "others' points are not refused",
  );
  const bad = hopeless.filter(isBad);
  assert.deepEqual(dead.filter(isBad), bad, 'no refused point is lost, none is kept twice');
  const [said] = log.lines.filter(({ message }) => message === 'points refused in replay');
  assert.equal(said?.fields['isExact'], false);
});

test('a backlog of nothing but faults costs a bounded number of requests a record', async () => {
  const records = Array.from({ length: 20 }, () =>
    numbered(1_000, (index) => (index % 2 === 0 ? 'bad' : 'good')),
  );
  const { bodies, send } = serverThatRefuses(isBad);
  const { dead } = await replay(records, send);
  assert.equal(dead.filter(isBad).length, 20 * 500);
  assert.ok(bodies.length <= 20 * 3 * 200, `${bodies.length} requests`);
});

test('records share a request only as far as their lines, inflated, do not become too much', async () => {
  const lines = numbered(40, (index) => `m,t=t${index},long=${'x'.repeat(1_000_000)}`);
  const check = async (gzip: boolean, compress: (text: string) => Buffer): Promise<void> => {
    const { bodies, stored, send } = serverThatRefuses(isBad);
    const records = lines.map((line) => [line]);
    await replay(records, send, { gzip }, compress);
    assert.deepEqual(stored, lines);
    const longest = Math.max(...bodies.map(({ length }) => length));
    assert.ok(longest <= 16 * 1024 * 1024, `${longest} bytes`);
    assert.ok(bodies.length <= 4, `${bodies.length} requests`);
  };
  await check(true, gzipSync);
  await check(false, gzipSync);

  // Of several members, the last of which holds next to nothing: a client's, and the newline that it lacked
  const inMembers = (text: string): Buffer =>
    Buffer.concat([text.slice(0, 10), text.slice(10, -1), '\n'].map((part) => gzipSync(part)));
  await check(true, inMembers);
  await check(false, inMembers);
});

/** Of 1,000 lines each. */
function recordsOf(count: number): string[][] {
  return Array.from({ length: count }, (_, record) =>
    numbered(1_000, (index) => `m,t=${record * 1_000 + index}`),
  );
}

test('a backlog drains while half of what is replayed comes anew, in requests that grow', async () => {
  const server = serverThatRefuses(isBad);
  const records = recordsOf(200);
  const { spill, append, replayer } = await spillOf(records, async (body) => {
    const outcome = await server.send(body);
    const sent = linesIn(server.bodies.at(-1) ?? '').length;
    const fresh = recordsOf(Math.floor(sent / 2_000));
    records.push(...fresh);
    await Promise.all(fresh.map((lines) => append(lines)));
    return outcome;
  });
  while (!spill.isEmpty) assert.equal((await replayer.step(NEVER)).kind, 'moved');
  assert.deepEqual(server.stored, records.flat());
  assert.ok(server.bodies.length <= 20, `${server.bodies.length} requests`);
});

test('a backend that takes its time gets no more than maxRowLimit at once', async () => {
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const records = recordsOf(50);
  await replay(records, send, { spillAfter: 0 });
  assert.deepEqual(stored, records.flat());
  assert.deepEqual(new Set(bodies.map((body) => linesIn(body).length)), new Set([10_000]));
});

test('what fails in one large request goes in smaller ones', async () => {
  const { stored, send } = serverThatRefuses(isBad);
  const records = recordsOf(50);
  const { spill, replayer } = await spillOf(records, async (body) => {
    const isTooMuch = linesIn(gunzipSync(body.payload).toString()).length > 3_000;
    return isTooMuch ? { kind: 'failed', reason: 'timeout' } : send(body);
  });
  for (let failures = 0; !spill.isEmpty;) {
    failures += (await replayer.step(NEVER)).kind === 'failed' ? 1 : 0;
    assert.ok(failures <= 30, 'no more often than something is delivered');
  }
  assert.deepEqual(stored, records.flat());
});

test('a limit on the size of a request is met a few times, not again and again', async () => {
  const { stored, send } = serverThatRefuses(isBad);
  const records = recordsOf(100);
  let tooLarge = 0;
  await replay(records, async (body) => {
    if (body.payload.length <= 50_000) return send(body);
    tooLarge += 1;
    return { kind: 'too large', error: 'Request Entity Too Large' };
  });
  assert.deepEqual(stored, records.flat());
  assert.ok(tooLarge <= 3, `${tooLarge} times`);
});

test('a refused line in a large request is searched among few', async () => {
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const records = recordsOf(200);
  const bad = 'bad v=1 1';
  records.splice(150, 0, [bad]);
  const { dead } = await replay(records, async (body) => send(body));
  assert.deepEqual(dead, [bad]);
  assert.deepEqual(new Set(stored), new Set(records.flat().filter((line) => line !== bad)));
  const searched = bodies.filter((body) => body.includes(bad)).map((body) => linesIn(body).length);
  assert.ok(
    searched.slice(5).every((lines) => lines <= 10_000),
    searched.join(),
  );
  assert.ok(bodies.length <= 60, `${bodies.length} requests`);
});

test('a replay that is to stop ends with the request under way, and goes on from there', async () => {
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const records = recordsOf(50);
  const stop = new AbortController();
  const { spill, replayer } = await spillOf(
    records,
    (body) => {
      stop.abort();
      return send(body);
    },
    { spillAfter: 0 },
  );
  await replayer.step(stop.signal);
  assert.equal(bodies.length, 1);
  assert.equal(spill.backlog.points, 40_000);
  while (!spill.isEmpty) await replayer.step(NEVER);
  assert.deepEqual(stored, records.flat());
});

/** Of one line each that hardly compresses, together some MiB: more than is read at once. */
function longRecords(): string[][] {
  const value = randomBytes(300_000).toString('base64');
  return numbered(30, (index) => `m,t=${index},long=${value}`).map((line) => [line]);
}

test('the next request goes while the cursor of the one before it is saved', async () => {
  const { bodies, stored, send } = serverThatRefuses(isBad);
  const records = longRecords();
  const { disk, spill, replayer } = await spillOf(records, send);
  disk.held = CURSOR_FILE;
  const steps = (async () => {
    while (!spill.isEmpty) assert.equal((await replayer.step(NEVER)).kind, 'moved');
  })();
  await eventually('the second request', () => bodies.length > 1);
  await disk.untilHeld();
  assert.equal(bodies.length, 2, 'but no third one');
  const crashed = disk.afterPowerCut(() => 'lost');
  const afterCrash = await Spill.open(LOCATION, { disk: crashed, log: fakeLog() });
  assert.equal(afterCrash.backlog.records, records.length);
  disk.release();
  await steps;
  assert.deepEqual(stored, records.flat());
});

test('a disk that fails in a replay costs time, and neither points nor their order', async () => {
  const records = longRecords();
  const faults = { total: 0 };
  for (let fault = 1; fault <= 50; fault += 12) {
    const { bodies, stored, send } = serverThatRefuses(isBad);
    const { disk, spill, replayer } = await spillOf(records, send);
    disk.faultFrom = disk.steps + fault;
    disk.faultTo = disk.faultFrom + 8;
    let failures = 0;
    while (!spill.isEmpty) failures += (await replayer.step(NEVER)).kind === 'failed' ? 1 : 0;
    assert.ok(failures <= 8 && bodies.length <= 10);
    assert.deepEqual(stored, records.flat());
    faults.total += failures;
  }
  assert.ok(faults.total > 0);
});
