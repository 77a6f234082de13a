import { strict as assert } from 'node:assert';
import { KEYMAPS, LATER_LINES, LINES, LONG_LINES, STALE_LINES } from '../../fixtures/merge/data.ts';
import type { Cleanup } from '../../support/cleanup.ts';
import { started } from '../../support/http-server.ts';
import { type Influxd, startInfluxd } from '../../support/influxd.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { drained, PATIENT } from '../replica-pair.ts';
import { FrontServer } from './front-server.ts';

/** The database that clients name; each server behind the proxy has its own name for it. */
export const DB = 'metrics';
/** Of the servers behind the proxy. */
export const NAMES = ['a', 'b', 'c'] as const;
const STORED: Readonly<Record<Name, string>> = { a: 'stored "a"', b: DB, c: "c's db" };

type Name = (typeof NAMES)[number];
type Fronts = Readonly<Record<Name, FrontServer>>;

export interface Cluster {
  readonly proxy: ProxyProcess;
  /** What the proxy sees of its three servers. */
  readonly fronts: Fronts;
  /** Has everything, alone. */
  readonly single: Influxd;
}

/** Three servers behind a proxy and a fourth one alone, with the same data; the three have stale data besides. */
export async function startCluster(t: Cleanup): Promise<Cluster> {
  const single = await startServer(t, DB);
  const [a, b, c] = await Promise.all([startFront(t, 'a'), startFront(t, 'b'), startFront(t, 'c')]);
  const fronts = { a, b, c };
  const cluster = { proxy: await startProxyOf(t, fronts), fronts, single };
  await write(cluster, LINES);
  await write(cluster, LONG_LINES, 'long');
  await drained(cluster.proxy);
  return cluster;
}

/** A proxy, perhaps another one, of these servers. */
export async function startProxyOf(
  t: Cleanup,
  fronts: Fronts,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ProxyProcess> {
  const backends = NAMES.map((name) => {
    const { url } = fronts[name];
    const settings = { checkInterval: 100, rewriteInterval: 300, ...PATIENT };
    return [name, { url, db: STORED[name], ...settings }] as const;
  });
  const proxy = await startProxy(t, {
    proxy: { db: DB, interval: 0, ...settings },
    backends: Object.fromEntries(backends),
    keymaps: KEYMAPS,
  });
  await drained(proxy);
  return proxy;
}

/** Refuses connections until `up`. */
export async function takeDown({ fronts, proxy }: Cluster, name: Name): Promise<void> {
  await fronts[name].down();
  await proxy.waitFor(({ backends }) => backends[name]?.up === false);
}

export async function bringUp({ fronts, proxy }: Cluster, name: Name): Promise<void> {
  await fronts[name].up();
  await proxy.waitFor(({ backends }) => backends[name]?.up === true);
}

/** Later points, which this server does not get: it is up, and catching up. */
export async function leaveBehind(cluster: Cluster, name: Name): Promise<void> {
  cluster.fronts[name].holdWrites();
  await write(cluster, LATER_LINES);
  await cluster.proxy.waitFor(({ backends }) => {
    const { state, up = false } = backends[name] ?? {};
    return state === 'catching up' && up;
  });
}

async function startFront(t: Cleanup, name: Name): Promise<FrontServer> {
  const server = await startServer(t, STORED[name]);
  await server.write(STORED[name], STALE_LINES[name] ?? []);
  return started(t, new FrontServer(server));
}

async function startServer(t: Cleanup, db: string): Promise<Influxd> {
  const server = await startInfluxd(t);
  const quoted = db.replaceAll('"', '\\"');
  await server.createDatabase(quoted);
  await server.query('', `CREATE RETENTION POLICY long ON "${quoted}" DURATION INF REPLICATION 1`);
  return server;
}

async function write({ proxy, single }: Cluster, lines: readonly string[], rp = ''): Promise<void> {
  const body = lines.join('\n');
  const answer = await proxy.request(`/write?db=${DB}&rp=${rp}`, { body });
  assert.equal(answer.status, 204, answer.text);
  await single.write(DB, lines, { rp });
}
