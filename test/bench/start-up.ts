import type { CleanupStack } from '../support/cleanup.ts';
import { decimals, type Section } from './report.ts';
import { median } from './statistics.ts';
import { keymapsOf, startProxyTo, TWENTY_ROUTES } from './topology.ts';
import { REPETITIONS } from './measure.ts';

const MAX_SECONDS = 0.5;

/** From the start of the process to the log line that it listens. */
export async function runStartUp(t: CleanupStack): Promise<Section[]> {
  // Nobody is there: a proxy starts without its backends.
  const nobody = Array.from({ length: TWENTY_ROUTES.backends }, () => 'http://127.0.0.1:9');
  const proxy = await startProxyTo(t, nobody, keymapsOf(TWENTY_ROUTES));
  const seconds: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    await proxy.stop();
    const start = Date.now();
    await proxy.start();
    const time = proxy.logged('listening').at(-1)?.['time'];
    seconds.push((new Date(time as string | number).getTime() - start) / 1_000);
  }
  const rows = [
    {
      figure: 'seconds to listening',
      format: decimals(2),
      own: median(seconds),
      budget: { atMost: MAX_SECONDS },
    },
  ];
  return [{ id: 'start', title: 'start with 10,000 measurements in the keymap', rows }];
}
