/** Milliseconds of processor time that `run` takes: the clock would count what else the machine does meanwhile. */
export function cpuMsOf(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
