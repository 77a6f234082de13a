import path from 'node:path';
import { drain, draft, openSpill } from '../spill/harness.ts';
import { type Row, whole } from './report.ts';

const CALLERS = 32;
/** A batch of 600 lines, compressed. */
const RECORD_BYTES = 20_000;
const RECORDS_PER_CALLER = 150;
const RECORDS = CALLERS * RECORDS_PER_CALLER;
/** As the replayer does. */
const PEEK_BYTES = 1024 * 1024;

/** What the machine's disk allows: appends that wait for their sync, then peeks and acknowledgements. */
export async function diskRows(folder: string): Promise<Row[]> {
  const options = {
    directory: path.join(folder, 'spill'),
    maxBytes: 10e9,
    segmentBytes: 64 * 1024 * 1024,
  };
  const record = draft('x'.repeat(RECORD_BYTES), 600);
  const spill = await openSpill(options);
  const append = async (): Promise<void> => {
    for (let done = 0; done < RECORDS_PER_CALLER; done++) {
      spill.tryReserve(RECORD_BYTES);
      await spill.append(record);
    }
  };
  const rows = [
    await timed('spill append, synced, 32 callers', () =>
      Promise.all(Array.from({ length: CALLERS }, append)),
    ),
  ];
  await spill.close();
  const again = await openSpill(options);
  rows.push(await timed('spill peek and ack, 1 MiB each', () => drain(again, PEEK_BYTES)));
  await again.close();
  return rows;
}

/** By the clock: most of it is waiting for the disk. */
async function timed(name: string, run: () => Promise<unknown>): Promise<Row> {
  const start = performance.now();
  await run();
  const own = RECORDS / ((performance.now() - start) / 1_000);
  const note = `${((own * RECORD_BYTES) / 1e6).toFixed(0)} MB/s`;
  return { figure: `${name}, records/s`, format: whole, own, note };
}
