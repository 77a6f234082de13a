import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Spill } from '../../src/spill/spill.ts';
import { type Fate, FakeDisk } from '../support/fake-disk.ts';
import { drain, lastOf, openSpill, store } from './harness.ts';
import { randomFrom } from '../support/random.ts';

// Three records fill a segment, so that the script rolls, moves the cursor and deletes often.
const SEGMENT_BYTES = 200;

/** What a program knew when the power went. */
interface Witness {
  /** Texts of the appends that resolved, by sequence number. */
  readonly stored: Map<number, string>;
  /** Every text ever given to append. */
  readonly known: Set<string>;
  /** Highest sequence number whose ack was called, and whose ack resolved. */
  ackTried: number;
  acked: number;
}

async function append(spill: Spill, witness: Witness, ...texts: string[]): Promise<void> {
  const appends = texts.map(async (text) => {
    witness.known.add(text);
    witness.stored.set(await store(spill, text), text);
  });
  await Promise.all(appends);
}

async function deliver(spill: Spill, witness: Witness, maxBytes: number): Promise<void> {
  const record = lastOf(await spill.peek(maxBytes));
  witness.ackTried = record.sequence;
  await spill.ack(record);
  witness.acked = record.sequence;
}

async function deliverAll(spill: Spill, witness: Witness): Promise<void> {
  while (!spill.isEmpty) await deliver(spill, witness, 30);
}

/** Goes through everything a spill does: fill, roll, half drain, restart, drain, and from the start again. */
async function script(disk: FakeDisk, witness: Witness): Promise<void> {
  const first = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  await append(first, witness, 'one', 'two');
  await append(first, witness, 'a longer third record', 'four', 'five');
  await deliver(first, witness, 1);
  await append(first, witness, 'six', 'seven', 'eight', 'nine');
  await deliver(first, witness, 40);
  await first.close();

  const second = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  await append(second, witness, 'ten');
  await deliver(second, witness, 1);
  await deliverAll(second, witness);
  await append(second, witness, 'eleven');
  await deliverAll(second, witness);
  await append(second, witness, 'twelve', 'thirteen');
  await Promise.all([append(second, witness, 'fourteen'), deliver(second, witness, 1)]);
}

/** Runs the script until the power goes at `step`. False when the script ended before. */
async function runUntil(disk: FakeDisk, step: number, witness: Witness): Promise<boolean> {
  disk.cutAt = step;
  try {
    await script(disk, witness);
    return false;
  } catch (error) {
    if (disk.steps < step) throw error;
    // What runs beside the failed call must have ended too, before the disk is taken away.
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }
}

async function assertRecovered(disk: FakeDisk, witness: Witness, hint: string): Promise<void> {
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  const found = await drain(spill);
  const sequences = found.map((record) => record.sequence);
  assert.deepEqual(
    sequences,
    [...new Set(sequences)].sort((a, b) => a - b),
    `${hint}: order`,
  );
  for (const record of found) {
    assert.ok(witness.known.has(record.payload.toString()), `${hint}: corrupt`);
    assert.ok(record.sequence > witness.acked, `${hint}: ${record.sequence} was acknowledged`);
  }
  // An ack that never resolved may have happened or not; from there on nothing may be missing.
  const oldest = Math.min(witness.ackTried, (sequences[0] ?? Infinity) - 1);
  const due = [...witness.stored.keys()].filter((sequence) => sequence > oldest);
  const present = new Set(sequences);
  assert.deepEqual(
    due.filter((sequence) => !present.has(sequence)),
    [],
    `${hint}: lost`,
  );
  const next = await store(spill, 'next');
  assert.ok(next > Math.max(0, ...witness.stored.keys()), `${hint}: sequence went back`);
  assert.deepEqual(
    (await drain(spill)).map((record) => record.sequence),
    [next],
    hint,
  );
  await spill.close();
}

const FATES: Record<string, () => () => Fate> = {
  'all unsynced is lost': () => () => 'lost',
  'all unsynced is kept': () => () => 'kept',
  'unsynced is zeros': () => () => 'zeros',
  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6].map((seed) => [`seed ${seed}`, (): (() => Fate) => mixedFate(seed)]),
  ),
};

function mixedFate(seed: number): () => Fate {
  const random = randomFrom(seed);
  return () => (['kept', 'lost', 'kept', 'zeros'] as const)[Math.floor(random() * 4)] ?? 'kept';
}

/** Calls `check` with the disk as it is after a power cut at every step of the script. */
async function everyCut(
  prepare: (disk: FakeDisk) => void,
  check: (disk: FakeDisk, witness: Witness, hint: string) => Promise<void>,
): Promise<number> {
  for (let step = 1; ; step++) {
    const disk = new FakeDisk();
    prepare(disk);
    const witness = {
      stored: new Map<number, string>(),
      known: new Set<string>(),
      ackTried: 0,
      acked: 0,
    };
    if (!(await runUntil(disk, step, witness))) return step;
    for (const [name, fate] of Object.entries(FATES))
      await check(disk.afterPowerCut(fate()), witness, `power cut at step ${step}, ${name}`);
  }
}

test('what was acknowledged survives a power cut at every step (D7)', async () => {
  const steps = await everyCut(() => undefined, assertRecovered);
  assert.ok(steps > 100, `only ${steps} steps`);
});

test('old segments never come back when newer ones are gone, in whatever order names are lost', async () => {
  for (let step = 1, isOver = false; !isOver; step++) {
    const disk = new FakeDisk();
    const witness = { stored: new Map<number, string>(), known: new Set<string>() };
    const progress = Object.assign(witness, { ackTried: 0, acked: 0 });
    const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
    await append(spill, progress, ...Array.from({ length: 12 }, (_, index) => `record ${index}`));
    // Nothing can be deleted until the last record, whose ack then deletes several segments.
    disk.stuckSegments = Infinity;
    while (spill.backlog.records > 1) await deliver(spill, progress, 1);
    disk.stuckSegments = 0;
    disk.cutAt = disk.steps + step;
    await deliver(spill, progress, 1).catch(() => undefined);
    isOver = disk.steps < disk.cutAt;
    for (let seed = 1; seed <= 20; seed++) {
      const after = disk.afterPowerCut(mixedFate(seed));
      await assertRecovered(after, progress, `power cut at step ${step}, seed ${seed}`);
    }
  }
});

test('it also survives a second power cut at every step of the recovery', async () => {
  await everyCut(
    () => undefined,
    async (disk, witness, hint) => {
      const random = randomFrom(disk.files().size);
      const snapshot = disk.files();
      // One step each: all of them together come to a few thousand.
      for (const again of [1 + Math.floor(random() * 12), 1 + Math.floor(random() * 60)]) {
        const copy = new FakeDisk();
        for (const [name, bytes] of snapshot) copy.put(name, bytes);
        copy.cutAt = again;
        const after = { ...witness };
        await recoverUntilCut(copy, after);
        await assertRecovered(
          copy.afterPowerCut(mixedFate(again)),
          after,
          `${hint}, then ${again}`,
        );
      }
    },
  );
});

async function recoverUntilCut(disk: FakeDisk, witness: Witness): Promise<void> {
  try {
    const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
    while (!spill.isEmpty) {
      const record = (await spill.peek(10)).at(-1);
      if (record === undefined) continue;
      witness.ackTried = Math.max(witness.ackTried, record.sequence);
      await spill.ack(record);
      witness.acked = Math.max(witness.acked, record.sequence);
    }
  } catch {
    // The power went; or it did not, which is as good.
  }
}

test('the same test sees a disk that does not sync', async () => {
  const check = async (prepare: (disk: FakeDisk) => void): Promise<void> => {
    await assert.rejects(everyCut(prepare, assertRecovered), assert.AssertionError);
  };

  await check((disk) => {
    disk.ignoresSync = true;
  });
  await check((disk) => {
    disk.ignoresDirectorySync = true;
  });
});
