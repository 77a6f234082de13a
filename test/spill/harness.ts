import { strict as assert } from 'node:assert';
import type { Log } from '../../src/core/log.ts';
import { type Disk, nodeDisk } from '../../src/spill/disk.ts';
import { type RecordDraft, Spill } from '../../src/spill/spill.ts';
import type { StoredRecord } from '../../src/spill/stored-record.ts';
import { fakeLog } from '../support/fake-log.ts';

export const DIRECTORY = '/spill';

export function draft(text: string, points = 1): RecordDraft {
  return { kind: 'batch', points, db: 'db', rp: 'rp', precision: 'ns', payload: Buffer.from(text) };
}

export interface OpenOptions {
  readonly disk?: Disk;
  readonly log?: Log;
  readonly directory?: string;
  readonly maxBytes?: number;
  readonly segmentBytes?: number;
}

export function openSpill(options: OpenOptions): Promise<Spill> {
  const { disk = nodeDisk, log = fakeLog(), directory = DIRECTORY } = options;
  const { maxBytes = 1024 * 1024, segmentBytes = 64 * 1024 } = options;
  return Spill.open({ directory, maxBytes, segmentBytes }, { disk, log });
}

export async function store(spill: Spill, text: string): Promise<number> {
  assert.ok(spill.tryReserve(text.length), 'no room');
  return spill.append(draft(text));
}

export function lastOf(records: readonly StoredRecord[]): StoredRecord {
  const record = records.at(-1);
  assert.ok(record !== undefined, 'no record');
  return record;
}

export function textsOf(records: readonly StoredRecord[]): string[] {
  return records.map((record) => record.payload.toString());
}

/** Everything that is in the spill, in the order of delivery; afterwards it is empty. */
export async function drain(spill: Spill, maxBytes = 10): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  while (!spill.isEmpty) {
    const records = await spill.peek(maxBytes);
    const last = records.at(-1);
    if (last === undefined) continue;
    all.push(...records);
    await spill.ack(last);
  }
  return all;
}
