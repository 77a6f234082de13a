import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { type Direction, type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';
import { Load } from './load.ts';
import { drained, pairConfig, startPair } from './replica-pair.ts';
import { randomFrom } from '../support/random.ts';

const KILLS = Number(process.env['CRASH_KILLS'] ?? 25);
/** From the start of a run to its death: live writing, the way into the spill, replay, the way back to live. */
const LONGEST_RUN_MS = 700;
const LONGEST_WEATHER_MS = 300;

interface Weather {
  readonly begin: (network: TcpProxy) => Promise<void> | void;
  readonly end: (network: TcpProxy) => Promise<void> | void;
}

const WEATHERS: readonly Weather[] = [
  { begin: (network) => network.cut(), end: (network) => network.restore() },
  stalled('to client'),
  stalled('to server'),
];

/** What is held back passes in the end, or is lost. */
function stalled(direction: Direction): Weather {
  return {
    begin: (network) => {
      network.stall(direction);
    },
    end: (network) => {
      if (direction === 'to client') network.dropConnections();
      network.flow(direction);
    },
  };
}

/** Breaks the network and mends it at random instants until told to stop. */
async function weather(network: TcpProxy, random: () => number, stop: AbortSignal): Promise<void> {
  const pause = (): Promise<void> => sleep(random() * LONGEST_WEATHER_MS);
  while (!stop.aborted) {
    await pause();
    const bad = WEATHERS[Math.floor(random() * WEATHERS.length)];
    await bad?.begin(network);
    await pause();
    await bad?.end(network);
  }
}

async function killAgainAndAgain(proxy: ProxyProcess, random: () => number): Promise<void> {
  for (let kills = 0; kills < KILLS; kills++) {
    // Not a wait for something: the instant of death is what chance decides.
    await sleep(random() * LONGEST_RUN_MS);
    await proxy.kill();
    await proxy.start();
  }
}

function seedOf(t: TestContext): number {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`CRASH_SEED=${seed}`);
  return seed;
}

test('kill -9 at any instant loses and reorders no acknowledged point (D1)', async (t) => {
  const seed = seedOf(t);
  const [a, b] = await startPair(t);
  const network = await tcpProxy(t, b.port);
  const config = pairConfig([a.url, network.url], { timeout: 1_000, spillAfter: 100 });
  const proxy = await startProxy(t, config);
  const load = new Load(t, proxy, 8);
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
  });
  const flapping = weather(network, randomFrom(seed), stop.signal);

  await killAgainAndAgain(proxy, randomFrom(seed + 1));

  stop.abort();
  await flapping;
  await load.stop();
  await drained(proxy);
  t.diagnostic(`${KILLS} kills, ${load.acknowledged} writes, ${load.failures.length} repeated`);
  assert.ok(load.failures.length >= KILLS, 'the kills hit nobody');
  await load.assertStored(a, `a, CRASH_SEED=${seed}`);
  await load.assertStored(b, `b, CRASH_SEED=${seed}`);
});
