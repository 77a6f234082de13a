import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../support/cli.ts';
import { type Influxd } from '../support/influxd.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { randomFrom } from '../support/random.ts';
import { DB, drained, isComplete, pairConfig, startPair } from './replica-pair.ts';

const KILLS = 20;
const CLIENTS = 4;
/** Acknowledged writes by which the kill comes closer to the moment, and around which it is left to chance. */
const AROUND = 10;

/** Clients that write one point at a time until the proxy has gone, or until `enough`. */
async function writeUntil(
  proxy: ProxyProcess,
  measurement: string,
  enough: (acknowledged: number) => boolean | Promise<boolean>,
): Promise<Set<number>> {
  const acknowledged = new Set<number>();
  let next = 0;
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const id = next++;
      const body = `${measurement} v=${id}i ${id}`;
      const answer = await proxy.request('/write?db=metrics', { body }).catch(() => undefined);
      if (answer === undefined) isOver = true;
      if (answer?.status === 204) acknowledged.add(id);
      if (await enough(acknowledged.size)) isOver = true;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return acknowledged;
}

async function assertHas(influxd: Influxd, measurement: string, ids: Set<number>, hint: string) {
  const rows = await influxd.rows(DB, measurement);
  const found = new Set(rows.map((row) => Number(/(\d+)$/.exec(row)?.[1])));
  const missing = [...ids].filter((id) => !found.has(id));
  assert.deepEqual(missing, [], `${hint}: ${missing.length} of ${ids.size} points are missing`);
}

test('kill -9 around the moment of detaching: no acknowledged point is only with who is detached', async (t) => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`CRASH_SEED=${seed}`);
  const random = randomFrom(seed);
  const [a, b] = await startPair(t);
  const network = await tcpProxy(t, b.port);
  const pair = pairConfig([a.url, network.url]);
  const tight = { ...pair.backends['b'], maxSpillBytes: 8_000 };
  const proxy = await startProxy(t, { ...pair, backends: { ...pair.backends, b: tight } });
  const marker = path.join(proxy.dataDir, 'detached', 'b.json');
  const comeBack = async (): Promise<void> => {
    if (proxy.isRunning) await proxy.stop();
    const { code, stderr } = await runCli(
      ...[`--config=${proxy.configPath}`, 'backend', 'reattach', 'b'],
    );
    assert.equal(code, 0, stderr);
    await network.restore();
    await proxy.start();
    await drained(proxy);
    await network.cut();
  };

  await drained(proxy);
  await network.cut();
  let { size: usual } = await writeUntil(proxy, 'usual', () => existsSync(marker));
  await comeBack();
  const ends = { detached: 0, attached: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const hint = `kill ${kill}, CRASH_SEED=${seed}`;
    const measurement = `m${kill}`;
    const goal = usual + Math.round((random() * 2 - 1) * AROUND);
    const delayMs = random() * 3;
    const acknowledged = await writeUntil(proxy, measurement, async (count) => {
      if (count < goal || !proxy.isRunning) return false;
      // Not a wait for something: the instant of death is what chance decides.
      await sleep(delayMs);
      await proxy.kill();
      return true;
    });
    await proxy.start();
    await proxy.waitFor((meta) => isComplete(meta, 'a'));
    await assertHas(a, measurement, acknowledged, `${hint}, a`);
    if (existsSync(marker)) {
      ends.detached += 1;
      usual -= AROUND;
      assert.equal((await proxy.meta()).backends['b']?.state, 'detached');
      await comeBack();
    } else {
      ends.attached += 1;
      usual += AROUND;
      await network.restore();
      await drained(proxy);
      await assertHas(b, measurement, acknowledged, `${hint}, b`);
      await network.cut();
    }
  }
  t.diagnostic(`${usual} writes until detached; ${JSON.stringify(ends)}`);
  assert.ok(ends.detached > 0 && ends.attached > 0, JSON.stringify(ends));
});
