import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CleanupStack } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import { startBareServer } from './bare.ts';
import { bodyOf } from './lines.ts';
import { inTurns } from './measure.ts';
import { startReverseProxy, startSink } from './nginx.ts';
import { decimals, mustBe, type Row, type Section } from './report.ts';
import { quantile } from './statistics.ts';
import { keymapsOf, ONE_ROUTE, startProxyTo } from './topology.ts';

const WRITES = 100;
const PAUSE_MS = 5;

/** One write after the other, with pauses: what the way through a server adds when nobody else is there. */
export async function runIdle(t: CleanupStack, folder: string): Promise<Section[]> {
  const sinks = [
    (await startSink(t, folder, 'sink0')).origin,
    (await startSink(t, folder, 'sink1')).origin,
  ];
  const proxy = await startProxyTo(t, sinks, keymapsOf(ONE_ROUTE));
  const nginx = await startReverseProxy(t, folder, sinks[0] ?? '');
  const bare = await startBareServer(t);
  const origins = [proxy.url, nginx.origin, bare.origin];
  let refused = 0;
  const run = async (origin: string): Promise<number[]> => {
    const agent = new Agent({ keepAlive: true });
    const latencies: number[] = [];
    for (let id = 0; id < WRITES; id++) {
      await sleep(PAUSE_MS);
      const body = bodyOf(ONE_ROUTE.stream, id, 1);
      const start = performance.now();
      const { status } = await httpRequest(`${origin}/write?db=bench`, { agent, body });
      latencies.push(performance.now() - start);
      if (status !== 204) refused += 1;
    }
    agent.destroy();
    return latencies;
  };
  for (const origin of origins) await run(origin); // warm-up
  const runs = await inTurns(origins, run);
  const quantiles = (q: number): Pick<Row, 'own' | 'nginx' | 'bare'> => {
    const [own = NaN, ofNginx = NaN, ofBare = NaN] = runs.map((all) => quantile(all.flat(), q));
    return { own, nginx: ofNginx, bare: ofBare };
  };
  const rows = [
    { figure: 'p50 ms', format: decimals(2), ...quantiles(0.5) },
    { figure: 'p99 ms', format: decimals(2), ...quantiles(0.99) },
    mustBe('refused', 0, refused),
  ];
  return [{ id: 'h', title: 'one write at a time, 1 line, idle', rows }];
}
