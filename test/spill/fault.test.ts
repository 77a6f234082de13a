import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ProxyError } from '../../src/core/errors.ts';
import type { Spill } from '../../src/spill/spill.ts';
import { FakeDisk } from '../support/fake-disk.ts';
import { fakeLog } from '../support/fake-log.ts';
import { lastOf, openSpill, store } from './harness.ts';

const SEGMENT_BYTES = 200;

interface Witness {
  readonly stored: string[];
  readonly rejected: string[];
  readonly delivered: string[];
}

/** The failures of a disk become SPILL_FAILED with the cause kept, nothing else. */
function assertFault(error: unknown): void {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, 'SPILL_FAILED');
  assert.ok(error.cause instanceof Error);
}

/** What a supervisor does: tries again. Two faults at most, so it ends. */
async function openAgain(disk: FakeDisk): Promise<Spill> {
  for (;;) {
    try {
      return await openSpill({ disk, segmentBytes: SEGMENT_BYTES });
    } catch (error) {
      assertFault(error);
    }
  }
}

async function append(spill: Spill, witness: Witness, ...texts: string[]): Promise<void> {
  for (const { text, result } of texts.map((text) => ({ text, result: store(spill, text) }))) {
    try {
      await result;
      witness.stored.push(text);
    } catch (error) {
      assertFault(error);
      witness.rejected.push(text);
    }
  }
}

/** What a replayer does: on a failure it tries again, without sending again. */
async function deliverAll(spill: Spill, witness: Witness): Promise<void> {
  while (!spill.isEmpty) {
    try {
      const records = await spill.peek(30);
      if (records.length === 0) continue;
      witness.delivered.push(...records.map((record) => record.payload.toString()));
      await spill.ack(lastOf(records));
    } catch (error) {
      assertFault(error);
    }
  }
}

async function script(disk: FakeDisk, witness: Witness): Promise<void> {
  const first = await openAgain(disk);
  await append(first, witness, 'one', 'two', 'a longer third record');
  await append(first, witness, 'four', 'five', 'six', 'seven', 'eight');
  await deliverAll(first, witness);
  await append(first, witness, 'nine');
  await append(first, witness, 'ten', 'eleven');
  await first.close();
  assert.equal(first.reservedBytes, 0);

  const second = await openAgain(disk);
  await append(second, witness, 'twelve');
  await deliverAll(second, witness);
  await append(second, witness, 'thirteen', 'fourteen');
  await deliverAll(second, witness);
  await second.close();
}

/** Runs the script with the given faults; afterwards the spill must be as good as new. */
async function check(prepare: (disk: FakeDisk) => void, hint: string): Promise<number> {
  const disk = new FakeDisk();
  prepare(disk);
  const witness: Witness = { stored: [], rejected: [], delivered: [] };
  await script(disk, witness);
  const { steps } = disk;
  disk.faultTo = 0;
  const { stored, rejected, delivered } = witness;
  const known = [...stored, ...rejected];
  // A rejected record that could not be cut off either may be found after the restart in the middle of the script.
  // And what a disk cannot read for good is not delivered, but the file that holds it is kept.
  const kept = Buffer.concat(
    [...disk.files()].filter(([name]) => name.endsWith('.bad')).map(([, bytes]) => bytes),
  );
  const due = stored.filter((text) => delivered.includes(text) || !kept.includes(text));
  assert.deepEqual(
    delivered.filter((text) => !rejected.includes(text)),
    due,
    hint,
  );
  assert.ok(
    delivered.every((text) => known.includes(text)),
    hint,
  );
  assert.equal(new Set(delivered).size, delivered.length, `${hint}: sent twice`);

  const spill = await openAgain(disk);
  await append(spill, witness, 'after');
  await deliverAll(spill, witness);
  assert.deepEqual([stored.at(-1), delivered.at(-1)], ['after', 'after'], hint);
  await spill.close();
  assert.ok(spill.usedBytes === 0, `${hint}: ${spill.usedBytes} bytes left`);
  return steps;
}

async function everyFault(code: string, length: number): Promise<void> {
  const steps = await check(() => undefined, 'no fault');
  for (let step = 1; step <= steps; step++) {
    await check((disk) => {
      disk.faultCode = code;
      disk.faultFrom = step;
      disk.faultTo = step + length;
    }, `${code} at step ${step}, ${length} long`);
  }
}

test('a full or failing disk, at any step, rejects appends and harms no other record (D11)', async () => {
  await everyFault('ENOSPC', 1);
  await everyFault('EIO', 1);
});

test('the same when several calls in a row fail, cutting off the failed bytes among them', async () => {
  await everyFault('ENOSPC', 2);
  await everyFault('ENOSPC', 5);
  await everyFault('EIO', 3);
  await everyFault('EIO', 9);
});

test('a disk that goes on failing is two log lines: when it begins and when it ends', async () => {
  const [disk, log] = [new FakeDisk(), fakeLog()];
  const spill = await openSpill({ disk, log, segmentBytes: SEGMENT_BYTES });
  const witness: Witness = { stored: [], rejected: [], delivered: [] };
  [disk.faultFrom, disk.faultTo] = [disk.steps + 1, Infinity];
  for (const text of ['one', 'two', 'three']) await append(spill, witness, text);
  assert.deepEqual(witness.rejected, ['one', 'two', 'three']);
  disk.faultFrom = Infinity;
  for (const text of ['four', 'five']) await append(spill, witness, text);
  assert.deepEqual(witness.stored, ['four', 'five']);
  assert.deepEqual(
    log.lines.map(({ level, message, fields }) => [level, message, fields['failedRecords']]),
    [
      ['error', 'spill write failed', undefined],
      ['info', 'spill can be written again', 3],
    ],
  );
});
