// Prints what the machine's disk allows: appends that wait for their sync, then peeks and acks, then an opening.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { drain, draft, openSpill } from '../spill/harness.ts';

const CALLERS = Number(process.argv[2] ?? 32);
const BYTES = Number(process.argv[3] ?? 20_000);
const TOTAL_BYTES = Number(process.argv[4] ?? 400_000_000);
const options = { maxBytes: 100e9, segmentBytes: 64 * 1024 * 1024 };

const directory = await mkdtemp(path.join(tmpdir(), 'influx-proxy-bench-'));
const record = draft('x'.repeat(BYTES));
const perCaller = Math.ceil(TOTAL_BYTES / BYTES / CALLERS);

async function measure(name: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = count / seconds;
  const line = [
    name,
    `${seconds.toFixed(2)} s`,
    `${rate.toFixed(0)} records/s`,
    `${((rate * BYTES) / 1e6).toFixed(0)} MB/s`,
    `${((user + system) / count).toFixed(1)} us CPU each`,
  ];
  process.stdout.write(`${line.join(', ')}\n`);
}

async function appendMany(spill: Awaited<ReturnType<typeof openSpill>>): Promise<void> {
  for (let done = 0; done < perCaller; done++) {
    spill.tryReserve(BYTES);
    await spill.append(record);
  }
}

const spill = await openSpill({ directory, ...options });
const records = perCaller * CALLERS;
await measure('append', records, () =>
  Promise.all(Array.from({ length: CALLERS }, () => appendMany(spill))),
);
await spill.close();
await measure('open sealed', records, async () => {
  await (await openSpill({ directory, ...options })).close();
});
const again = await openSpill({ directory, ...options });
await measure('peek and ack 1 MB', records, () => drain(again, 1_000_000));
await rm(directory, { recursive: true });
