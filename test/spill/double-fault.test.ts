import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ProxyError } from '../../src/core/errors.ts';
import type { Spill } from '../../src/spill/spill.ts';
import { FakeDisk, type Fates } from '../support/fake-disk.ts';
import { randomFrom } from '../support/random.ts';
import { drain, openSpill, store, textsOf } from './harness.ts';

// Two or three records fill a segment.
const SEGMENT_BYTES = 150;

/**
 * What matters to a backend: while its spill is not empty everything newer queues behind, so that whatever a power cut
 * brings back is sent in its turn. Once the spill is empty newer points go another way, and then nothing older may ever
 * come out of it again.
 */
class Witness {
  #stored: string[] = [];
  #gone = new Set<string>();
  #known = new Set<string>();

  /** What it knows at this moment. */
  copy(): Witness {
    const copy = new Witness();
    copy.#stored = [...this.#stored];
    copy.#gone = new Set(this.#gone);
    copy.#known = new Set(this.#known);
    return copy;
  }

  toJSON(): unknown {
    return [this.#stored, [...this.#gone], [...this.#known]];
  }

  async append(spill: Spill, ...texts: string[]): Promise<void> {
    const appends = texts.map(async (text) => {
      this.#known.add(text);
      const isStored = await store(spill, text).then(() => true, expected);
      if (isStored) this.#stored.push(text);
    });
    await Promise.all(appends);
  }

  /** As a replayer does it: until the backend may have newer points from elsewhere, or the disk fails too often. */
  async deliver(spill: Spill): Promise<void> {
    for (let attempt = 0; attempt < 12; attempt++) {
      if (spill.isEmpty) {
        this.#pass();
        return;
      }
      try {
        const record = (await spill.peek(1))[0];
        if (record === undefined) continue;
        this.#deliver(record.payload.toString());
        await spill.ack(record);
      } catch (error) {
        expected(error);
      }
    }
  }

  /** The power is back. */
  judge(texts: readonly string[], hint: string): void {
    const ghosts = texts.filter((text) => this.#gone.has(text));
    assert.deepEqual(ghosts, [], `${hint}: sent on top of newer points`);
    const lost = this.#stored.filter((text) => !texts.includes(text));
    assert.deepEqual(lost, [], `${hint}: lost`);
    for (const text of texts) assert.ok(this.#known.has(text), `${hint}: never appended`);
  }

  #deliver(text: string): void {
    assert.ok(!this.#gone.has(text), `${text} was sent on top of newer points`);
    const at = this.#stored.indexOf(text);
    if (at !== -1) this.#stored.splice(at, 1);
  }

  #pass(): void {
    assert.deepEqual(this.#stored, [], 'an empty spill has lost something');
    for (const text of this.#known) this.#gone.add(text);
  }
}

function expected(error: unknown): false {
  if (error instanceof ProxyError && error.code === 'SPILL_FAILED') return false;
  throw error;
}

async function script(disk: FakeDisk, witness: Witness): Promise<void> {
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  await witness.append(spill, 'one', 'two');
  await witness.deliver(spill);
  await witness.append(spill, 'three');
  await witness.append(spill, 'four', 'five');
  await witness.deliver(spill);
}

interface Moment {
  /** After a power cut at it. */
  readonly disk: FakeDisk;
  readonly witness: Witness;
}

interface Trouble {
  /** The first step that fails, and how many do. */
  readonly from: number;
  readonly length: number;
  /** How much of a failing write reaches the disk. */
  readonly part: number;
}

/** Runs the script, and returns the disks that a power cut would leave, at each step from the trouble on. */
async function run(trouble: Trouble, fate: Fates): Promise<Moment[]> {
  const disk = new FakeDisk();
  const witness = new Witness();
  const moments: Moment[] = [];
  let last = '';
  // Not EIO: what cannot be read is set aside as damage.
  disk.faultCode = 'ENOSPC';
  disk.faultFrom = trouble.from;
  disk.faultTo = trouble.from + trouble.length;
  disk.faultyPart = trouble.part;
  disk.onStep = () => {
    if (disk.steps <= trouble.from) return;
    const moment = { disk: disk.afterPowerCut(fate), witness: witness.copy() };
    const text = JSON.stringify([[...moment.disk.files()], witness]);
    if (text !== last) moments.push(moment);
    last = text;
  };
  await script(disk, witness).catch(expected);
  return moments;
}

/** What survives of what was not synced. */
const FATES: Readonly<Record<string, () => Fates>> = {
  all: () => () => 'kept',
  'all that was written, not what was cut off': () => (what) =>
    what === 'truncate' ? 'lost' : 'kept',
  some: () => {
    const random = randomFrom(1);
    return () => (random() < 0.7 ? 'kept' : 'lost');
  },
};

async function judge({ disk, witness }: Moment, hint: string): Promise<void> {
  const spill = await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
  witness.judge(textsOf(await drain(spill)), hint);
  await spill.close();
}

/** How many power cuts there were. */
async function everyTrouble(length: number): Promise<number> {
  const disk = new FakeDisk();
  await script(disk, new Witness());
  let cuts = 0;
  for (let from = 1; from <= disk.steps; from++) {
    for (const [name, fate] of Object.entries(FATES)) {
      const trouble = { from, length, part: name === 'some' ? 0.5 : 1 };
      for (const moment of await run(trouble, fate())) {
        await judge(moment, `${JSON.stringify(trouble)}, survives: ${name}`);
        cuts += 1;
      }
    }
  }
  return cuts;
}

for (const length of [1, 2, 3, 5]) {
  test(`calls that fail, ${length} in a row, then a power cut: nothing rejected comes back over newer points`, async () => {
    const cuts = await everyTrouble(length);
    assert.ok(cuts > 1000, `only ${cuts} power cuts`);
  });
}
