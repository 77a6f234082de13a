import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import type { CleanupStack } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import type { Point } from './chart.ts';
import { ONE_ROUTE, keymapsOf, startProxyTo, backendName } from './topology.ts';
import { peakRssMb, resetPeakRss } from './usage.ts';

/** Sizes of the backlog, in units of 10^6 bytes on disk. */
const TARGETS_MB = [10, 50, 100, 150, 200];
const WRITERS = 4;
const MAX_MS = 20_000;

const BODIES = 8;
const LINES_PER_BODY = 1_000;
/** Of a line's string, which hardly compresses: the disk fills sooner. */
const VALUE_BYTES = 750;

/**
 * The peak RSS of a proxy while the backlog of an unreachable backend grows to each size. Ends early, with fewer points,
 * on a machine that needs more than `MAX_MS`.
 */
export async function growBacklog(t: CleanupStack, sink: string): Promise<Point[]> {
  const nobody = 'http://127.0.0.1:9';
  const proxy = await startProxyTo(t, [sink, nobody], keymapsOf(ONE_ROUTE));
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
  });
  const bodies = Array.from({ length: BODIES }, incompressibleBody);
  const deadline = performance.now() + MAX_MS;
  const points: Point[] = [];
  let turn = 0;
  const fillTo = async (bytes: number): Promise<boolean> => {
    while (performance.now() < deadline) {
      const writes = Array.from({ length: WRITERS }, () =>
        httpRequest(`${proxy.url}/write?db=bench`, { agent, body: bodies[turn++ % BODIES] ?? '' }),
      );
      await Promise.all(writes);
      const { backends } = await proxy.meta();
      if ((backends[backendName(1)]?.backlog.bytes ?? 0) >= bytes) return true;
    }
    return false;
  };
  for (const target of TARGETS_MB) {
    await resetPeakRss(proxy.pid);
    if (!(await fillTo(target * 1e6))) break;
    points.push([target, await peakRssMb(proxy.pid)]);
  }
  return points;
}

function incompressibleBody(): Buffer {
  const lines = Array.from({ length: LINES_PER_BODY }, (_, index) => {
    const value = randomBytes(VALUE_BYTES).toString('base64');
    return `cpu value="${value}" ${1_700_000_000_000_000_000n + BigInt(index)}\n`;
  });
  return Buffer.from(lines.join(''));
}
