// A child process for kill.test.ts: appends to the spill in the directory given until it is killed, and prints each
// sequence number when its append has resolved.
import { openSpill, store } from './harness.ts';

const [, , directory = ''] = process.argv;
const spill = await openSpill({ directory, maxBytes: 1e9, segmentBytes: 4000 });
async function append(): Promise<never> {
  for (;;) process.stdout.write(`${await store(spill, 'x'.repeat(100))}\n`);
}
await Promise.all(Array.from({ length: 8 }, append));
