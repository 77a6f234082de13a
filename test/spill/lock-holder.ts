// A child process for lock.test.ts: takes the lock of the directory given, tells, and keeps it until it is killed.
import { codeOf } from '../../src/core/errors.ts';
import { systemClock } from '../../src/core/time.ts';
import { DirectoryLock } from '../../src/spill/lock.ts';

const [, , directory = ''] = process.argv;
try {
  await DirectoryLock.acquire(directory, systemClock);
  process.stdout.write('held\n');
  setInterval(() => undefined, 1000);
} catch (error) {
  process.stdout.write(`${codeOf(error) ?? String(error)}\n`);
}
