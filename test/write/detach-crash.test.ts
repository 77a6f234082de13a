import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Health } from '../../src/backend/health.ts';
import { Budget } from '../../src/core/budget.ts';
import { LineScanner } from '../../src/lineprotocol/scanner.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { detachedFileOf } from '../../src/spill/data-dir.ts';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import { DetachedMarker } from '../../src/spill/detached-marker.ts';
import { FreeSpace } from '../../src/spill/free-space.ts';
import { Spill } from '../../src/spill/spill.ts';
import { Compressor } from '../../src/write/compressor.ts';
import { Detachment } from '../../src/write/detachment.ts';
import { Admission } from '../../src/write/admission.ts';
import { Sender } from '../../src/write/sender.ts';
import { WritePath } from '../../src/write/write-path.ts';
import { drain } from '../spill/harness.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeDisk, type Fate } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';

const NAMES = ['a', 'b'] as const;
/** More than twice what the clients reserve at a time, so that none is refused while the spill fills. */
const MAX_SPILL_BYTES = 5000;
const CLIENTS = 2;
const WRITES = 40;

/** The write path in front of a server `a` that takes everything and a server `b` that is down, on one disk. */
class Bench {
  /** Lines that each server has. */
  readonly stored = new Map<string, Set<string>>(NAMES.map((name) => [name, new Set()]));
  readonly acknowledged = new Set<string>();
  readonly disk: FakeDisk;
  readonly detachments: Detachment[] = [];
  readonly #senders = new Map<string, Sender>();
  readonly #clock = new FakeClock();
  readonly #log = fakeLog();

  constructor(disk: FakeDisk) {
    this.disk = disk;
  }

  async run(): Promise<void> {
    for (const name of NAMES) this.#senders.set(name, await this.#openSender(name));
    const keymap = new Keymap({ _default_: NAMES });
    const writePath = new WritePath({
      scanner: new LineScanner(),
      keymap,
      senders: this.#senders,
      admission: new Admission(keymap.routes, this.#senders),
      compressor: new Compressor({ level: 1 }),
      maxBytes: 1e9,
      budget: new Budget(1e9),
      counters: new Counters(),
      clock: this.#clock,
    });
    const write = async (line: string): Promise<void> => {
      const body = Buffer.from(line);
      const error = await writePath.write({ client: '', rp: '', precision: 'ns', body });
      assert.equal(error, undefined);
      this.acknowledged.add(line);
    };
    const client = async (id: number): Promise<void> => {
      for (let at = 0; at < WRITES; at++)
        await write(`m,c=${id} v=1 ${at}\n`).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)));
    await Promise.all([...this.#senders.values()].map((sender) => sender.close()));
    for (const detachment of this.detachments) await detachment.close();
  }

  async #openSender(name: string): Promise<Sender> {
    const [disk, clock, log] = [this.disk, this.#clock, this.#log];
    const probe = (): Promise<string> => Promise.reject(new Error('not asked'));
    const health = new Health({ name, checkInterval: 1000, probe }, clock, log);
    const options = {
      name,
      db: 'db',
      gzip: false,
      maxRowLimit: 1000,
      interval: 10,
      maxQueuedBytes: 1e9,
    };
    const marker = new DetachedMarker(detachedFileOf('/data', name), disk);
    const own = { name, onSpillFull: 'detach', writeOnly: false } as const;
    const detachment = await Detachment.open(own, { marker, clock, log });
    this.detachments.push(detachment);
    return new Sender(
      { ...options, spillAfter: 500, rewriteInterval: 1000, maxQueuedBytes: 1_000_000 },
      {
        send: ({ payload }) => {
          if (name === 'b') return Promise.resolve({ kind: 'failed', reason: 'down' });
          for (const line of linesOf(payload)) this.stored.get(name)?.add(line);
          return Promise.resolve({ kind: 'stored' });
        },
        execute: () => Promise.resolve({ kind: 'failed', reason: 'not asked' }),
        ...{ health, clock, log, detachment, random: () => 0.5 },
        spill: await openSpill(name, disk),
        deadLetter: await DeadLetter.open(`/data/dead-letter/${name}`, disk),
        space: new FreeSpace('/data', { disk, clock, log }),
      },
    );
  }
}

function linesOf(payload: Buffer): string[] {
  return payload.toString().match(/.*\n/g) ?? [];
}

function openSpill(name: string, disk: FakeDisk): Promise<Spill> {
  const options = { directory: `/data/spill/${name}`, maxBytes: MAX_SPILL_BYTES };
  return Spill.open({ ...options, segmentBytes: 2000 }, { disk, log: fakeLog() });
}

/** What a restart finds: every acknowledged line at each backend, or in its spill, or the backend is detached. */
async function check(bench: Bench, fate: () => Fate, hint: string): Promise<boolean> {
  const disk = bench.disk.afterPowerCut(fate);
  const detached: string[] = [];
  for (const name of NAMES) {
    const marker = new DetachedMarker(detachedFileOf('/data', name), disk);
    if ((await marker.read()) !== undefined) {
      detached.push(name);
      continue;
    }
    const known = new Set(bench.stored.get(name));
    for (const { payload } of await drain(await openSpill(name, disk)))
      for (const line of linesOf(gunzipSync(payload))) known.add(line);
    const missing = [...bench.acknowledged].filter((line) => !known.has(line));
    assert.deepEqual(missing, [], `${hint}: ${name} is not detached`);
  }
  assert.ok(!detached.includes('a'), `${hint}: the one that has everything is detached`);
  return detached.length > 0;
}

const FATES: readonly Fate[] = ['kept', 'lost', 'zeros'];

test('power cut at any step of detaching: what is acknowledged is where a restart looks for it', async () => {
  const whole = new Bench(new FakeDisk());
  await whole.run();
  assert.ok(whole.detachments[1]?.isDetached);
  assert.equal(whole.acknowledged.size, CLIENTS * WRITES);

  const seen = new Set<boolean>();
  for (let step = 1; step <= whole.disk.steps; step++) {
    const disk = new FakeDisk();
    disk.cutAt = step;
    const bench = new Bench(disk);
    await bench.run().catch(() => undefined);
    for (const fate of FATES)
      seen.add(await check(bench, () => fate, `cut at ${step}, the rest ${fate}`));
  }
  assert.equal(seen.size, 2, 'cuts before and after the detachment');
});

test('a disk that is full at any step of detaching: the same, and later writes are taken', async () => {
  const whole = new Bench(new FakeDisk());
  await whole.run();
  for (let step = 20; step <= whole.disk.steps; step++) {
    const disk = new FakeDisk();
    Object.assign(disk, { faultCode: 'ENOSPC', faultFrom: step, faultTo: step + 4 });
    const bench = new Bench(disk);
    await bench.run();
    const lost = CLIENTS * WRITES - bench.acknowledged.size;
    assert.ok(lost <= 4 * CLIENTS, `step ${step}: ${lost} writes were refused`);
    await check(bench, () => 'lost', `ENOSPC at ${step}`);
  }
});

test('the checks above see a disk that lies', async () => {
  let isSeen = false;
  for (let step = 1; step <= 200 && !isSeen; step++) {
    const disk = new FakeDisk();
    Object.assign(disk, { cutAt: step, ignoresDirectorySync: true });
    const bench = new Bench(disk);
    await bench.run().catch(() => undefined);
    isSeen = await check(bench, () => 'lost', '').then(
      () => false,
      () => true,
    );
  }
  assert.ok(isSeen);
});
