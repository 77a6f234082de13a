import path from 'node:path';
import { fakeLog } from '../support/fake-log.ts';
import { Book } from './book.ts';
import { Client, type Request } from './client.ts';
import { Faults } from './faults.ts';
import { Machine } from './machine.ts';
import { ModelBackend } from './model-backend.ts';
import { draw, type Plan } from './plan.ts';
import { deadLetterFile, Proxy, type Reply } from './proxy.ts';
import { Random } from './random.ts';
import { Process, Scheduler } from './scheduler.ts';
import { callBackBy } from './zlib-in-turn.ts';

/** Ways to break the write path from outside, to see that the simulation notices. */
export interface Sabotage {
  readonly ignoresSync?: boolean;
  readonly onOpen?: (proxy: Proxy) => void;
}

export interface Result {
  readonly violations: readonly string[];
  /** What happened, by name. */
  readonly counts: Readonly<Record<string, number>>;
  /** The last log lines of the proxy, oldest first. */
  readonly log: readonly string[];
}

/** Faults have stopped: this long it may take until everything is where it belongs. */
const RECOVERY_MS = 600_000;

/** One schedule: clients, backends, disk and process with all that goes wrong, until all is well again. */
export class Simulation {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #scheduler: Scheduler;
  readonly #machine: Machine;
  readonly #faults: Faults;
  readonly #backends: ReadonlyMap<string, ModelBackend>;
  readonly #book: Book;
  readonly #clients: readonly Client[];
  readonly #log = fakeLog();
  readonly #sabotage: Sabotage;
  #process: Process;
  #proxy: Proxy | undefined;
  /** Clients whose connections break when the process ends. */
  readonly #disconnect = new Set<() => void>();
  #ordinal = 0;
  #counts = { kills: 0, shutdowns: 0, 'power cuts': 0, deletions: 0, unavailable: 0, detached: 0 };

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.#random = new Random(seed);
    this.#sabotage = sabotage;
    const random = this.#random;
    const plan = draw(random);
    this.#plan = plan;
    this.#scheduler = new Scheduler(random);
    const scheduler = this.#scheduler;
    const { ignoresSync = false } = sabotage;
    this.#machine = new Machine({ ...plan, ignoresSync }, random, scheduler);
    this.#backends = new Map(
      plan.backends.map(({ name, timeout: timeoutMs, spillAfter: spillAfterMs, strangers }) => {
        const options = { name, timeoutMs, spillAfterMs, strangers };
        return [name, new ModelBackend(options, random, scheduler)];
      }),
    );
    this.#faults = new Faults({
      ...{ plan, random, scheduler, machine: this.#machine, backends: this.#backends },
      kill: () => {
        this.#kill();
      },
      shutDown: () => void this.#shutDown(),
    });
    this.#book = new Book(plan, this.#backends);
    this.#process = new Process(scheduler);
    const nextOrdinal = (): number => ++this.#ordinal;
    const post = (request: Request): Promise<Reply> => this.#post(request);
    const deps = { plan, random, scheduler, book: this.#book, post, nextOrdinal };
    this.#clients = Array.from({ length: plan.clients }, (_, id) => new Client(id, deps));
  }

  async run(): Promise<Result> {
    const { faultsMs } = this.#plan;
    callBackBy((run) => this.#scheduler.after(this.#random.pick([0, 0, 1, 5]), run));
    this.#machine.onKill = () => {
      this.#kill();
    };
    for (const backend of this.#backends.values()) this.#watch(backend);
    void this.#startProxy();
    for (const client of this.#clients) void client.run();
    this.#faults.start();
    await this.#scheduler.runUntil(() => false, faultsMs);
    this.#faults.end();
    const isSettled = await this.#scheduler.runUntil(() => this.#isSettled(), RECOVERY_MS);
    if (!isSettled) this.#violation(`not settled: ${this.#describe()}`);
    else await this.#judgeEnd();
    return this.#result();
  }

  #violation(text: string): void {
    this.#book.violations.push(text);
  }

  #watch(backend: ModelBackend): void {
    backend.onSend = (sent) => {
      const station = this.#proxy?.stations.find(({ name }) => name === backend.name);
      this.#book.sent(backend.name, sent, station?.sender.isComplete === true);
    };
    backend.onApplied = () => {
      if (this.#faults.areOn && this.#plan.kills > 0 && this.#random.chance(0.002)) this.#kill();
    };
  }

  async #startProxy(): Promise<void> {
    const process = new Process(this.#scheduler);
    this.#process = process;
    const deps = {
      ...{ plan: this.#plan, backends: this.#backends, process, log: this.#log },
      disk: this.#machine.diskOf(process),
      random: this.#random.next,
      onBug: (error: unknown) => {
        this.#violation(`a bug: ${error instanceof Error ? String(error.stack) : String(error)}`);
      },
    };
    try {
      const proxy = await Proxy.open(deps);
      this.#sabotage.onOpen?.(proxy);
      this.#proxy = proxy;
      proxy.start();
    } catch {
      // A broken disk: whoever watches over the process starts it again.
      process.isAlive = false;
      this.#scheduler.after(100, () => void this.#startProxy());
    }
  }

  /** As HTTP: the connection may be refused or break, the answer be lost. */
  async #post(request: Request): Promise<Reply> {
    const proxy = this.#proxy;
    if (proxy === undefined) return { kind: 'unavailable' };
    let disconnect: () => void = () => undefined;
    const broken = new Promise<Reply>((resolve) => {
      disconnect = () => {
        resolve({ kind: 'unavailable' });
      };
    });
    this.#disconnect.add(disconnect);
    const reply = await Promise.race([this.#carry(proxy, request), broken]);
    this.#disconnect.delete(disconnect);
    if (reply.kind === 'unavailable') this.#counts.unavailable += 1;
    return reply;
  }

  #carry(proxy: Proxy, request: Request): Promise<Reply> {
    if ('lines' in request) {
      const { rp, precision, lines } = request;
      const body = Buffer.from(lines.map(({ text }) => `${text}\n`).join(''));
      return proxy.write({ client: request.client, rp, precision, body });
    }
    this.#counts.deletions += 1;
    const [measurement = ''] = request.series.split(',');
    return proxy.delete(this.#plan.keymaps[measurement] ?? [], request);
  }

  #kill(): void {
    this.#machine.killAfterCalls = Infinity;
    if (!this.#process.isAlive) return;
    this.#counts.kills += 1;
    this.#end();
    if (this.#random.chance(0.5)) {
      this.#counts['power cuts'] += 1;
      this.#machine.cutPower();
    }
    this.#scheduler.after(this.#random.between(0, 500), () => void this.#startProxy());
  }

  /** The process is gone: nothing of it goes on. */
  #end(): void {
    this.#proxy = undefined;
    this.#process.isAlive = false;
    for (const disconnect of this.#disconnect) disconnect();
    for (const backend of this.#backends.values()) backend.disconnect();
  }

  async #shutDown(): Promise<void> {
    const proxy = this.#proxy;
    const process = this.#process;
    if (proxy === undefined || proxy.isClosing) return;
    this.#counts.shutdowns += 1;
    await proxy.close();
    if (!process.isAlive) return;
    this.#judgeClosed(process);
    this.#end();
    this.#scheduler.after(this.#random.between(0, 300), () => void this.#startProxy());
  }

  #isSettled(): boolean {
    const proxy = this.#proxy;
    return (
      proxy !== undefined &&
      !proxy.isClosing &&
      this.#clients.every(({ isDone }) => isDone) &&
      proxy.stations.every(({ sender }) => sender.isComplete || sender.detachment.isDetached) &&
      [...this.#backends.values()].every(({ open }) => open === 0)
    );
  }

  /** All is well, and must be: nothing is kept anywhere that is not needed any more. */
  async #judgeEnd(): Promise<void> {
    const proxy = this.#proxy;
    if (proxy === undefined) return;
    this.#judgeAtRest(proxy);
    await this.#closeAndWait(proxy);
    // What an earlier failure left on the disk goes at the next start at the latest, and nothing is sent again.
    const before = this.#sends();
    await this.#startAndWait();
    const again = this.#proxy;
    if (again === undefined) return;
    this.#judgeAtRest(again);
    if (this.#sends() > before) this.#violation('points were sent again after all was delivered');
    const detached = detachedIn(again);
    if (detachedIn(proxy).some((name) => !detached.includes(name)))
      this.#violation('a detached backend is attached again after a restart');
    const left = [...this.#machine.files().keys()].filter(
      (file) => file.endsWith('.segment') && !detached.includes(path.basename(path.dirname(file))),
    );
    if (left.length > 0) this.#violation(`left on the disk: ${left.join(' ')}`);
    this.#counts['detached'] += detached.length;
    await this.#closeAndWait(again);
    const letters = [...this.#backends.keys()].map((name) => {
      const file = this.#machine.files().get(deadLetterFile(name));
      return [name, file ?? Buffer.alloc(0)] as const;
    });
    this.#book.judge(new Map(letters), detached);
  }

  async #closeAndWait(proxy: Proxy): Promise<void> {
    const process = this.#process;
    let isClosed = false;
    void proxy.close().then(() => {
      isClosed = true;
    });
    if (!(await this.#scheduler.runUntil(() => isClosed, RECOVERY_MS))) {
      this.#violation('it does not close');
    }
    this.#judgeClosed(process);
    this.#end();
  }

  async #startAndWait(): Promise<void> {
    void this.#startProxy();
    const isUp = (): boolean => this.#proxy?.stations.every(({ health }) => health.isUp) === true;
    if (!(await this.#scheduler.runUntil(isUp, RECOVERY_MS))) this.#violation('it does not start');
  }

  #judgeAtRest(proxy: Proxy): void {
    if (proxy.budget.used !== 0) this.#violation(`budget in use: ${proxy.budget.used}`);
    if (proxy.writePath.underway !== 0) this.#violation('coalescers are not forgotten');
    for (const { name, spill, sender } of proxy.stations) {
      // What it had not got stays in its spill.
      if (sender.detachment.isDetached) continue;
      if (spill.reservedBytes !== 0) this.#violation(`${name} reserves ${spill.reservedBytes}`);
      if (!spill.isEmpty || spill.backlog.records > 0) this.#violation(`${name} has a backlog`);
      // Spills what is in a lane, and there must be no lane.
      sender.surrender();
      if (!sender.isComplete) this.#violation(`${name} is not complete, or has a lane`);
    }
  }

  #judgeClosed(process: Process): void {
    if (process.timers > 0) this.#violation(`${process.timers} timers after the end`);
  }

  #sends(): number {
    return [...this.#backends.values()].reduce((sum, { sends }) => sum + sends, 0);
  }

  #describe(): string {
    const proxy = this.#proxy;
    if (proxy === undefined) return 'the proxy does not run';
    const clients = this.#clients.filter(({ isDone }) => !isDone).length;
    const stations = proxy.stations.map(({ name, sender, spill }) => {
      const phase = sender.isComplete ? 'complete' : 'catching up';
      return `${name} ${phase}, ${sender.backlog.records} records, ${spill.reservedBytes} reserved`;
    });
    return `${clients} clients, ${proxy.isClosing ? 'closing' : 'open'}; ${stations.join('; ')}`;
  }

  #result(): Result {
    const counts: Record<string, number> = { ...this.#counts, ...this.#book.answers };
    counts['disk faults'] = this.#machine.faults;
    counts['events'] = this.#scheduler.events;
    counts['sends'] = this.#sends();
    for (const { acts } of this.#backends.values()) {
      for (const [act, times] of acts) counts[act] = (counts[act] ?? 0) + times;
    }
    const log = this.#log.lines.slice(-40).map(({ level, message, fields }) => {
      const { err, ...others } = fields;
      return `${level} ${message} ${JSON.stringify(others)} ${err instanceof Error ? err.message : ''}`;
    });
    return { violations: this.#book.violations, counts, log };
  }
}

function detachedIn(proxy: Proxy): string[] {
  return proxy.stations
    .filter(({ sender }) => sender.detachment.isDetached)
    .map(({ name }) => name);
}
