import { readFile, writeFile } from 'node:fs/promises';

/** `getconf CLK_TCK`, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

// Places in what follows the `)` of /proc/PID/stat; see proc(5), where they are numbers 14 and 15.
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** CPU time that a process has used so far, all its threads together. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before it may hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND;
}

/** The resident memory of a process now, in units of 10^6 bytes. */
export function rssMb(pid: number): Promise<number> {
  return statusMb(pid, 'VmRSS');
}

/** The most that it has held since `resetPeakRss`. */
export function peakRssMb(pid: number): Promise<number> {
  return statusMb(pid, 'VmHWM');
}

export async function resetPeakRss(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** What proc(5) calls kB are units of 1,024 bytes. */
async function statusMb(pid: number, key: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return (Number(kib) * 1_024) / 1e6;
}
