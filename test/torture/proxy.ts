import path from 'node:path';
import { Health } from '../../src/backend/health.ts';
import { Budget } from '../../src/core/budget.ts';
import { ProxyError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { LineScanner } from '../../src/lineprotocol/scanner.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { DeadLetter } from '../../src/spill/dead-letter.ts';
import { DetachedMarker } from '../../src/spill/detached-marker.ts';
import type { Disk } from '../../src/spill/disk.ts';
import { FreeSpace } from '../../src/spill/free-space.ts';
import { Spill } from '../../src/spill/spill.ts';
import { Admission } from '../../src/write/admission.ts';
import { Compressor } from '../../src/write/compressor.ts';
import { Detachment } from '../../src/write/detachment.ts';
import { Sender } from '../../src/write/sender.ts';
import { StatementPath } from '../../src/write/statement-path.ts';
import type { WriteError } from '../../src/write/verdict.ts';
import { WritePath, type WriteRequest } from '../../src/write/write-path.ts';
import { type Deletion, formOf, type ModelBackend } from './model-backend.ts';
import type { BackendPlan, Plan } from './plan.ts';
import type { Process } from './scheduler.ts';

/** Milliseconds, as the daemon's. */
const GRACE_MS = 1500;
const CUT_MS = 1500;

export interface ProxyDeps {
  readonly plan: Plan;
  readonly backends: ReadonlyMap<string, ModelBackend>;
  readonly process: Process;
  readonly disk: Disk;
  readonly log: Log;
  readonly random: () => number;
  /** Anything else than a ProxyError is one. */
  readonly onBug: (error: unknown) => void;
}

/** What belongs to one backend in one process. */
export interface Station {
  readonly name: string;
  readonly health: Health;
  readonly spill: Spill;
  readonly deadLetter: DeadLetter;
  readonly sender: Sender;
}

/** `unavailable`: the client sends it again. */
export type Reply =
  | { readonly kind: 'stored' }
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'unavailable' };

const UNAVAILABLE: Reply = { kind: 'unavailable' };

/** The real write path in one process, put together as the daemon does. */
export class Proxy {
  readonly stations: readonly Station[];
  readonly budget: Budget;
  readonly writePath: WritePath;
  isClosing = false;
  readonly #statements: StatementPath;
  readonly #space: FreeSpace;
  #open = 0;
  #closed = new AbortController();
  readonly #deps: ProxyDeps;

  private constructor(stations: readonly Station[], space: FreeSpace, deps: ProxyDeps) {
    const { plan, process } = deps;
    this.#space = space;
    this.stations = stations;
    this.#deps = deps;
    this.budget = new Budget(plan.maxInflightBytes);
    const senders = new Map(stations.map(({ name, sender }) => [name, sender]));
    const keymap = new Keymap(plan.keymaps);
    const admission = new Admission(keymap.routes, senders);
    this.#statements = new StatementPath({ senders, admission });
    this.writePath = new WritePath({
      scanner: new LineScanner(),
      ...{ keymap, senders, admission },
      // Nothing inline: what is compressed may end in any order.
      compressor: new Compressor({ level: plan.gzipLevel, inlineBytes: 0 }),
      maxBytes: plan.maxInflightBytes,
      budget: this.budget,
      counters: new Counters(),
      clock: process.clock,
    });
  }

  static async open(deps: ProxyDeps): Promise<Proxy> {
    const { disk, process, log } = deps;
    const space = new FreeSpace('/data', { disk, clock: process.clock, log });
    await space.look();
    const stations: Station[] = [];
    for (const backend of deps.plan.backends)
      stations.push(await openStation(backend, space, deps));
    return new Proxy(stations, space, deps);
  }

  start(): void {
    void this.#space.run();
    for (const { health, sender } of this.stations) {
      void health.run();
      sender.start();
    }
  }

  /** As the handler of `/write`. */
  async write(request: WriteRequest): Promise<Reply> {
    if (!this.budget.tryTake(request.body.length)) return UNAVAILABLE;
    const reply = await this.#answer(async () => replyOf(await this.writePath.write(request)));
    this.budget.give(request.body.length);
    return reply;
  }

  /** As the handler of `/query` with a `DELETE`. */
  delete(backends: readonly string[], deletion: Deletion): Promise<Reply> {
    return this.#answer(async () => {
      const formFor = (): string => formOf(deletion);
      const { status, body } = await this.#statements.run({ backends, formFor, ordered: true });
      return status === 200 && !body.includes('error')
        ? { kind: 'stored' }
        : { kind: 'refused', error: body };
    });
  }

  async #answer(work: () => Promise<Reply>): Promise<Reply> {
    if (this.isClosing) return UNAVAILABLE;
    this.#open += 1;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ProxyError)) this.#deps.onBug(error);
      return UNAVAILABLE;
    } finally {
      this.#open -= 1;
      this.#abortIfDone();
    }
  }

  /** As the daemon: what is under way is answered, from disk if a backend is slow. */
  async close(): Promise<void> {
    const { clock } = this.#deps.process;
    this.isClosing = true;
    this.#abortIfDone();
    await clock.sleep(GRACE_MS, this.#closed.signal);
    for (const { sender } of this.stations) sender.surrender();
    await clock.sleep(CUT_MS, this.#closed.signal);
    await Promise.all(this.stations.map((station) => this.#closeStation(station)));
    this.#space.close();
  }

  #abortIfDone(): void {
    if (this.isClosing && this.#open === 0) this.#closed.abort();
  }

  async #closeStation({ name, health, spill, sender }: Station): Promise<void> {
    sender.surrender();
    const replayEnded = sender.close();
    health.close();
    this.#deps.backends.get(name)?.disconnect();
    await replayEnded;
    await spill.close();
    await sender.detachment.close();
  }
}

async function openStation(
  backend: BackendPlan,
  space: FreeSpace,
  deps: ProxyDeps,
): Promise<Station> {
  const { name, maxSpillBytes, segmentBytes } = backend;
  const { process, disk, log } = deps;
  const model = deps.backends.get(name);
  if (model === undefined) throw new Error(`no backend ${name}`);
  const spill = await Spill.open(
    { directory: path.join('/data/spill', name), maxBytes: maxSpillBytes, segmentBytes },
    { disk, log },
  );
  const deadLetter = await DeadLetter.open(deadLetterFile(name), disk);
  const marker = new DetachedMarker(`/data/detached/${name}.json`, disk);
  const detachment = await Detachment.open(
    { ...backend, writeOnly: false },
    { marker, clock: process.clock, log },
  );
  const probe = (timeoutMs: number): Promise<string> => model.probe(timeoutMs);
  const { checkInterval } = backend;
  const health = new Health({ name, checkInterval, probe }, process.clock, log);
  const sender = new Sender(
    { ...backend, db: 'db' },
    {
      send: (body) => model.send(body, process),
      execute: (form) => model.execute(form, process),
      ...{ health, spill, deadLetter, log, detachment, space },
      clock: process.clock,
      random: deps.random,
    },
  );
  return { name, health, spill, deadLetter, sender };
}

export function deadLetterFile(name: string): string {
  return `/data/dead-letter/${name}.jsonl`;
}

function replyOf(error: WriteError): Reply {
  return error === undefined ? { kind: 'stored' } : { kind: 'refused', error: error.error };
}
