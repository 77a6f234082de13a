import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProxyError } from '../../src/core/errors.ts';
import type { Spill } from '../../src/spill/spill.ts';
import type { StoredRecord } from '../../src/spill/stored-record.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { draft, lastOf, openSpill, textsOf } from './harness.ts';
import { randomFrom } from '../support/random.ts';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300);
const MAX_BYTES = 4000;

type Action =
  | { readonly kind: 'append'; readonly sizes: readonly number[] }
  | { readonly kind: 'deliver'; readonly maxBytes: number; readonly acked: number }
  | { readonly kind: 'fault'; readonly after: number; readonly length: number }
  | { readonly kind: 'close' | 'crash' | 'drain' };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: appends() },
  { weight: 5, arbitrary: deliveries() },
  { weight: 1, arbitrary: faults() },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Action>({ kind: 'close' }, { kind: 'crash' }, { kind: 'drain' }),
  },
);

function appends(): fc.Arbitrary<Action> {
  const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 });
  return fc.record({ kind: fc.constant('append' as const), sizes });
}

function deliveries(): fc.Arbitrary<Action> {
  return fc.record({
    kind: fc.constant('deliver' as const),
    maxBytes: fc.integer({ min: 1, max: 1000 }),
    acked: fc.integer({ min: 0, max: 4 }),
  });
}

function faults(): fc.Arbitrary<Action> {
  return fc.record({
    kind: fc.constant('fault' as const),
    after: fc.integer({ min: 1, max: 20 }),
    length: fc.integer({ min: 1, max: 3 }),
  });
}

/** A spill beside the array that it should be. */
class Pair {
  #disk = new FakeDisk();
  #spill!: Spill;
  #stored = 0;
  #highest = 0;
  /** Undelivered, oldest first. */
  #model: string[] = [];
  /** Appends that were rejected: after a restart they may be there all the same. */
  readonly #rejected = new Set<string>();
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  async open(): Promise<void> {
    this.#disk.faultTo = 0;
    this.#spill = await openSpill({ disk: this.#disk, maxBytes: MAX_BYTES, segmentBytes: 500 });
    if (this.#rejected.size === 0) this.#check();
  }

  async run(action: Action): Promise<void> {
    if (action.kind === 'append') await this.#append(action.sizes);
    if (action.kind === 'deliver') await this.#deliver(action.maxBytes, action.acked);
    if (action.kind === 'drain') await this.drain();
    if (action.kind === 'fault') {
      this.#disk.faultFrom = this.#disk.steps + action.after;
      this.#disk.faultTo = this.#disk.faultFrom + action.length;
      this.#disk.faultCode = 'ENOSPC';
    }
    if (action.kind === 'close') await this.#spill.close();
    if (action.kind === 'crash')
      this.#disk = this.#disk.afterPowerCut(() => (this.#random() < 0.5 ? 'kept' : 'lost'));
    if (action.kind === 'close' || action.kind === 'crash') await this.open();
  }

  async drain(): Promise<void> {
    this.#disk.faultTo = 0;
    while (!this.#spill.isEmpty) await this.#deliver(200, Infinity);
    assert.deepEqual(this.#model, []);
    // A file that could not be deleted at its time is deleted when space is asked for.
    assert.equal(this.#spill.tryReserve(MAX_BYTES + 1), false);
    await this.#spill.peek(1);
    assert.equal(this.#spill.usedBytes, 0);
  }

  async #append(sizes: readonly number[]): Promise<void> {
    const appends = sizes
      .filter((size) => this.#spill.tryReserve(size))
      .map(async (size) => {
        const text = `${this.#stored++}`.padEnd(size, '.').slice(0, Math.max(size, 6));
        try {
          const sequence = await this.#spill.append(draft(text, size), size);
          assert.ok(sequence > this.#highest);
          this.#highest = sequence;
          this.#model.push(text);
        } catch (error) {
          assert.ok(error instanceof ProxyError);
          this.#rejected.add(text);
        }
      });
    assert.equal(this.#spill.isEmpty, this.#model.length === 0 && appends.length === 0);
    await Promise.all(appends);
    assert.equal(this.#spill.reservedBytes, 0);
    this.#check();
  }

  /** Peeks, and acknowledges the `acked`-th record, or the last. */
  async #deliver(maxBytes: number, acked: number): Promise<void> {
    try {
      const records = await this.#spill.peek(maxBytes);
      const texts = textsOf(records).filter((text) => !this.#rejected.has(text));
      assert.deepEqual(texts, this.#model.slice(0, texts.length));
      assert.equal(records.length === 0, this.#spill.backlog.records === 0);
      if (records.length === 0 || acked === 0) return;
      await this.#ack(records.slice(0, acked));
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
    }
  }

  async #ack(records: readonly StoredRecord[]): Promise<void> {
    // Also when the ack is rejected: then they are not shown again by this process.
    this.#model.splice(0, textsOf(records).filter((text) => !this.#rejected.has(text)).length);
    const last = lastOf(records);
    try {
      await this.#spill.ack(last);
    } catch (error) {
      // A crash now would show them again, which the model does not follow.
      this.#disk.faultTo = 0;
      await this.#spill.ack(last);
      throw error;
    }
    if (this.#rejected.size === 0) this.#check();
  }

  #check(): void {
    const { records, bytes } = this.#spill.backlog;
    if (this.#rejected.size > 0) return;
    assert.equal(records, this.#model.length);
    assert.equal(
      bytes,
      this.#model.reduce((sum, text) => sum + text.length, 0),
    );
    assert.equal(this.#spill.isEmpty, records === 0);
  }
}

test('any sequence of appends, deliveries, restarts, crashes and faults is that of a list', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), fc.nat(), async (actions, seed) => {
      const pair = new Pair(seed);
      await pair.open();
      for (const each of actions) await pair.run(each);
      await pair.drain();
    }),
    { numRuns },
  );
});
