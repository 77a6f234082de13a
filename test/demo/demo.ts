import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';
import { CleanupStack } from '../support/cleanup.ts';
import { GiveUp } from '../support/eventually.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import type { BackendMeta, Meta } from '../support/meta.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { countPoints, Reader } from './reader.ts';
import { Writer } from './writer.ts';

const DB = 'demo';
const KEYMAPS = { cpu: ['node1'], mem: ['node2'], _default_: ['node1', 'node2'] };
const MEASUREMENTS = ['cpu', 'mem', 'disk'];

interface Scene {
  readonly node1: Influxd;
  readonly node2: Influxd;
  readonly proxy: ProxyProcess;
  readonly writer: Writer;
  readonly reader: Reader;
  readonly interrupted: AbortSignal;
}

const startMs = performance.now();

function say(sentence: string): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds} s  ${sentence}\n`);
}

/** One server dies under load and comes back. Whether every acknowledged point is where it belongs. */
async function tellStory(t: CleanupStack, interrupted: AbortSignal): Promise<boolean> {
  const scene = await setTheScene(t, interrupted);
  const theEnd = new AbortController();
  const signal = AbortSignal.any([theEnd.signal, interrupted]);
  const work = Promise.all([scene.writer.run(signal), scene.reader.run(DB, signal)]);
  try {
    await actAllIsWell(scene);
    await actOneServerDies(scene);
    await actTheServerIsBack(scene);
  } finally {
    theEnd.abort();
    await work;
  }
  return countEverything(scene);
}

async function setTheScene(t: CleanupStack, interrupted: AbortSignal): Promise<Scene> {
  const [node1, node2] = await Promise.all([startInfluxd(t), startInfluxd(t)]);
  await Promise.all([node1.createDatabase(DB), node2.createDatabase(DB)]);
  say(`Two InfluxDB servers run: node1 at ${node1.url}, node2 at ${node2.url}.`);
  const pace = { checkInterval: 200, rewriteInterval: 1000 };
  const proxy = await startProxy(t, {
    proxy: { db: DB },
    backends: {
      node1: { url: node1.url, db: DB, ...pace },
      node2: { url: node2.url, db: DB, ...pace },
    },
    keymaps: KEYMAPS,
  });
  say(`influx-proxy runs at ${proxy.url}. It sends cpu to node1, mem to node2, the rest to both.`);
  const writer = new Writer(proxy.url, DB, MEASUREMENTS);
  const reader = new Reader(proxy.url, 'disk', () => writer.acknowledged);
  return { node1, node2, proxy, writer, reader, interrupted };
}

async function actAllIsWell(scene: Scene): Promise<void> {
  say('A client writes cpu, mem and disk through the proxy; another counts disk all the time.');
  await watch(scene, 3);
}

async function actOneServerDies(scene: Scene): Promise<void> {
  await scene.node2.kill();
  say('node2 is killed (SIGKILL). Writes and queries go on.');
  await watch(scene, 6);
  const answer = await countPoints(scene.proxy.url, DB, 'mem').catch(messageOf);
  say(`mem lives on node2 alone, so a query for it says: ${String(answer).trim()}`);
}

async function actTheServerIsBack(scene: Scene): Promise<void> {
  const kept = backendOf(await scene.proxy.meta(), 'node2').backlog.points;
  await scene.node2.start();
  say(`node2 is started again; it missed ${kept} points.`);
  await untilComplete(scene, 'node2');
  say('All of them were replayed: node2 is complete again and answers queries.');
  await watch(scene, 3);
}

async function untilComplete({ proxy, interrupted }: Scene, name: string): Promise<void> {
  const isComplete = (meta: Meta): boolean => {
    if (interrupted.aborted) throw new GiveUp('interrupted');
    const { up, state, backlog } = backendOf(meta, name);
    return up && state === 'complete' && backlog.points === 0;
  };
  await proxy.waitFor(isComplete, { what: `${name} complete`, deadlineMs: 60_000 });
}

/** Lets time pass, and tells each second or so what the counters say. */
async function watch(
  { proxy, writer, reader, interrupted }: Scene,
  seconds: number,
): Promise<void> {
  for (let left = seconds; left > 0; left -= 1.5) {
    await sleep(Math.min(left, 1.5) * 1000, undefined, { signal: interrupted });
    const { backlog, state } = backendOf(await proxy.meta(), 'node2');
    const kept = backlog.points > 0 ? `, ${backlog.points} points for node2 on disk` : '';
    say(
      `  ${writer.acknowledged * MEASUREMENTS.length} points acknowledged, ` +
        `${writer.failures.length} writes failed; ${reader.queries} queries, ` +
        `${reader.failures.length} with a hole or no answer; node2 is ${state}${kept}.`,
    );
  }
}

function backendOf(meta: Meta, name: string): BackendMeta {
  const backend = meta.backends[name];
  if (backend === undefined) throw new Error(`/meta does not tell about ${name}`);
  return backend;
}

async function countEverything(scene: Scene): Promise<boolean> {
  const { node1, node2, writer, reader } = scene;
  const { acknowledged } = writer;
  say(`The writer stops. Its slowest write took ${Math.ceil(writer.slowestMs)} ms.`);
  // On a slow machine the last batches too may have gone to disk first.
  await untilComplete(scene, 'node1');
  await untilComplete(scene, 'node2');
  const isRight = [
    await checkCount(node1, 'node1', 'cpu', acknowledged),
    await checkCount(node2, 'node2', 'cpu', 0),
    await checkCount(node1, 'node1', 'mem', 0),
    await checkCount(node2, 'node2', 'mem', acknowledged),
    await checkCount(node1, 'node1', 'disk', acknowledged),
    await checkCount(node2, 'node2', 'disk', acknowledged),
    check('failed writes', writer.failures.length, 0),
    check(
      `queries for disk with a hole or no answer, of ${reader.queries}`,
      reader.failures.length,
      0,
    ),
    check('points of disk that differ', await differences(node1, node2), 0),
  ].every(Boolean);
  for (const failure of [...writer.failures, ...reader.failures].slice(0, 5)) say(`  ${failure}`);
  const total = acknowledged * MEASUREMENTS.length;
  say(
    isRight
      ? `All ${total} acknowledged points are where they belong.`
      : `Of ${total} acknowledged points some are NOT where they belong.`,
  );
  return isRight && total > 0;
}

async function checkCount(
  server: Influxd,
  name: string,
  measurement: string,
  expected: number,
): Promise<boolean> {
  const found = await countPoints(server.url, DB, measurement);
  return check(`${measurement} on ${name}, asked directly`, found, expected);
}

function check(what: string, found: number, expected: number): boolean {
  const isRight = found === expected;
  say(`  ${what}: ${found}${isRight ? '' : ` instead of ${expected}`}`);
  return isRight;
}

async function differences(node1: Influxd, node2: Influxd): Promise<number> {
  const [first, second] = [await node1.rows(DB, 'disk'), await node2.rows(DB, 'disk')];
  const known = new Set(first);
  const common = second.filter((row) => known.has(row)).length;
  return first.length + second.length - 2 * common;
}

async function main(): Promise<number> {
  const t = new CleanupStack();
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(130); // the second Ctrl-C does not wait
    interrupt.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return (await tellStory(t, interrupt.signal)) ? 0 : 1;
  } catch (error) {
    say(interrupt.signal.aborted ? 'Interrupted.' : `The story broke off: ${messageOf(error)}`);
    return interrupt.signal.aborted ? 130 : 1;
  } finally {
    await t.run();
  }
}

process.exitCode = await main();
