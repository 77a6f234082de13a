import { hostname } from 'node:os';
import path from 'node:path';
import { DaemonBackend } from './daemon-backend.ts';
import { parseListenAddr } from './config/listen-addr.ts';
import type { Config } from './config/schema.ts';
import { Budget } from './core/budget.ts';
import { invariant, messageOf } from './core/errors.ts';
import type { Log } from './core/log.ts';
import { Scavenger } from './core/scavenger.ts';
import type { Clock } from './core/time.ts';
import { lowestVersion } from './core/version.ts';
import { metaHandler } from './http/handlers/meta.ts';
import { pingHandler } from './http/handlers/ping.ts';
import { queryHandler } from './http/handlers/query.ts';
import { statementChanger } from './http/handlers/statement-changer.ts';
import { writeHandler } from './http/handlers/write.ts';
import { router, type Routes } from './http/routes.ts';
import { HttpServer } from './http/server.ts';
import { LineScanner } from './lineprotocol/scanner.ts';
import { Counters } from './metrics/counters.ts';
import { Statistics, STATISTICS_MEASUREMENT } from './metrics/statistics.ts';
import { Asker } from './query/asker.ts';
import { QueryEngine } from './query/engine.ts';
import { Executor } from './query/executor.ts';
import type { Replica } from './query/replica.ts';
import { StatementReader } from './query/statement-reader.ts';
import { DEFAULT_MEASUREMENT, Keymap, type Route } from './routing/keymap.ts';
import type { Disk } from './spill/disk.ts';
import { FreeSpace } from './spill/free-space.ts';
import { reportLeftovers } from './spill/leftovers.ts';
import { DirectoryLock } from './spill/lock.ts';
import { Admission } from './write/admission.ts';
import { Compressor } from './write/compressor.ts';
import { StatementPath } from './write/statement-path.ts';
import { WritePath } from './write/write-path.ts';

export interface DaemonDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly disk: Disk;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of this program. */
  readonly version: string;
}

/** What is announced until a backend has named its version: the last of the 1.x line that every client knows. */
const UNSEEN_VERSION = '1.8.10';

/** Milliseconds that an upload may pause, if idleTimeout is not shorter: bad networks recover sooner or not at all. */
const MAX_STALL_MS = 30_000;

/** Milliseconds that requests under way get at shutdown before their points go to disk, and then before they are cut. */
const GRACE_MS = 1500;
const CUT_MS = 1500;

/** Builds every part in start order. Rejects with a ProxyError when the data directory is in use or the port taken. */
export async function startDaemon(config: Config, deps: DaemonDeps): Promise<Daemon> {
  const dataDir = path.resolve(config.proxy.dataDir);
  await deps.disk.makeDirectory(dataDir);
  const lock = await DirectoryLock.acquire(dataDir, deps.clock);
  const backends = new Map<string, DaemonBackend>();
  try {
    const budget = new Budget(config.proxy.maxInflightBytes);
    const space = new FreeSpace(dataDir, deps);
    await space.look();
    const shared = {
      ...{ ...deps, dataDir, space },
      maxQueuedBytes: config.proxy.maxInflatedSize,
      scavenger: new Scavenger(),
    };
    for (const [name, backend] of Object.entries(config.backends)) {
      backends.set(name, await DaemonBackend.open(name, backend, shared));
    }
    await reportLeftovers(dataDir, Object.keys(config.backends), deps);
    const daemon = new Daemon(config, { ...deps, backends, budget, lock, space });
    await daemon.listen();
    return daemon;
  } catch (error) {
    await Promise.all([...backends.values()].map((backend) => backend.close()));
    await lock.release();
    throw error;
  }
}

interface Parts extends DaemonDeps {
  readonly backends: ReadonlyMap<string, DaemonBackend>;
  readonly budget: Budget;
  readonly lock: DirectoryLock;
  readonly space: FreeSpace;
}

/** The running proxy. */
export class Daemon {
  #isClosing = false;
  #port = 0;
  // What `#commonHeaders` was made of: comparing versions for each answer anew would cost as much as parsing the request.
  #headersFor = '';
  #commonHeaders: readonly string[] = [];
  readonly #startedAt: number;
  readonly #stop = new AbortController();
  readonly #counters = new Counters();
  readonly #config: Config;
  readonly #parts: Parts;
  readonly #keymap: Keymap;
  readonly #statementPath: StatementPath;
  readonly #writePath: WritePath;
  readonly #server: HttpServer;

  constructor(config: Config, parts: Parts) {
    const { clock, log } = parts;
    this.#config = config;
    this.#parts = parts;
    this.#startedAt = clock.now();
    this.#keymap = new Keymap(config.keymaps);
    const senders = new Map([...parts.backends].map(([name, { sender }]) => [name, sender]));
    const admission = new Admission(this.#keymap.routes, senders);
    this.#statementPath = new StatementPath({ senders, admission });
    const scanner = new LineScanner();
    if (scanner.isSlow) {
      log.warn(
        {},
        'this processor lacks SIMD (on x86-64: SSE4.1): lines are scanned fifteen times as slowly',
      );
    }
    this.#writePath = new WritePath({
      scanner,
      keymap: this.#keymap,
      ...{ senders, admission },
      compressor: new Compressor({ level: config.proxy.gzipLevel }),
      maxBytes: config.proxy.maxInflatedSize,
      budget: parts.budget,
      counters: this.#counters,
      clock,
    });
    const address = parseListenAddr(config.proxy.listenAddr);
    invariant(address !== undefined, 'the configuration has checked listenAddr');
    this.#server = new HttpServer(
      {
        host: address.host,
        port: address.port,
        idleTimeoutMs: config.proxy.idleTimeout * 1000,
      },
      router({
        routes: this.#routes(),
        headers: () => this.#headers(),
        isClosing: () => this.#isClosing,
        clock,
        log,
      }),
    );
  }

  /** Opens the port, and only then starts what works by itself. */
  async listen(): Promise<void> {
    this.#port = await this.#server.listen();
    const { backends, space, version } = this.#parts;
    void space.run();
    for (const backend of backends.values()) backend.start();
    this.#parts.log.info({ ...this.#address(), version }, 'listening');
    void this.#writeStatistics();
  }

  /** Answers what is under way, from disk if a backend is slow, and lets go of every resource. */
  async close(): Promise<void> {
    const { backends, clock, log, lock, space } = this.#parts;
    this.#isClosing = true;
    this.#stop.abort();
    log.info({}, 'shutting down');
    const closed = new AbortController();
    void this.#server.close().then(() => {
      closed.abort();
    });
    await clock.sleep(GRACE_MS, closed.signal);
    for (const { sender } of backends.values()) sender.surrender();
    await clock.sleep(CUT_MS, closed.signal);
    this.#server.destroy();
    await Promise.all([...backends.values()].map((backend) => backend.close()));
    space.close();
    await lock.release();
    log.info({}, 'stopped');
  }

  #routes(): Routes {
    const { backends, budget, log } = this.#parts;
    const { db, writeTracing, queryTracing, idleTimeout, allowStatements } = this.#config.proxy;
    const maxStallMs = Math.min(idleTimeout * 1000, MAX_STALL_MS);
    const shared = { budget, db, log };
    const write = writeHandler({
      ...shared,
      writePath: this.#writePath,
      limits: { ...this.#config.proxy, maxStallMs },
      tracing: writeTracing,
    });
    const query = queryHandler({
      budget,
      log,
      maxStallMs,
      engine: this.#queryEngine(),
      rules: {
        own: db,
        routes: this.#keymap.routes,
        routeOf: (measurement) => this.#keymap.routeOf(measurement),
        hasDefault: this.#keymap.routeOf(DEFAULT_MEASUREMENT) !== undefined,
        backends: [...backends.keys()],
        allowed: new Set(allowStatements),
      },
      tracing: queryTracing,
    });
    const ping = pingHandler(this.#counters, () => this.#influxdbVersion());
    const { queries, writes } = this.#counters;
    return {
      '/write': { methods: { POST: write }, counter: writes },
      '/query': { methods: { GET: query, POST: query }, counter: queries },
      '/ping': { methods: { GET: ping, HEAD: ping } },
      '/meta': { methods: { GET: metaHandler(() => this.#describe()) } },
    };
  }

  #queryEngine(): QueryEngine {
    const { backends, clock, log } = this.#parts;
    const { db, zone, maxMergeBytes } = this.#config.proxy;
    const replicasOf = (names: readonly string[]): readonly Replica[] =>
      names.flatMap((name) => backends.get(name)?.replica ?? []);
    const executor = new Executor({ asker: new Asker(clock), replicasOf, zone, log });
    const routeOf = (measurement: string): Route | undefined => this.#keymap.routeOf(measurement);
    const { routes } = this.#keymap;
    return new QueryEngine({
      executor,
      reader: new StatementReader({ executor, routeOf, routes, clock }),
      budget: new Budget(maxMergeBytes),
      own: db,
      stored: [...new Set([...backends.values()].map(({ config }) => config.db))],
      change: statementChanger({
        statements: this.#statementPath,
        backends: [...backends.keys()],
        clock,
      }),
    });
  }

  #headers(): readonly string[] {
    const seen = this.#versionsSeen();
    if (seen !== this.#headersFor) {
      this.#headersFor = seen;
      this.#commonHeaders = [
        ...['X-Influxdb-Build', 'OSS'],
        ...['X-Influxdb-Version', this.#influxdbVersion()],
        ...['X-Influx-Proxy-Version', this.#parts.version],
      ];
    }
    return this.#commonHeaders;
  }

  /** The lowest one, because clients use what the version promises and any replica may answer. */
  #influxdbVersion(): string {
    return lowestVersion(this.#versionsSeen().split(' ')) ?? UNSEEN_VERSION;
  }

  /** A blank before each. */
  #versionsSeen(): string {
    let seen = '';
    for (const { health } of this.#parts.backends.values()) seen += ` ${health.version ?? ''}`;
    return seen;
  }

  #address(): { listenAddr: string; port: number } {
    return { listenAddr: this.#config.proxy.listenAddr, port: this.#port };
  }

  #describe(): unknown {
    const { backends, budget, clock, space, version } = this.#parts;
    return {
      version,
      ...this.#config.proxy,
      ...this.#address(),
      uptimeSeconds: Math.floor((clock.now() - this.#startedAt) / 1000),
      inflightBytes: budget.used,
      disk: { freeBytes: space.freeBytes, isLow: space.isLow },
      backends: Object.fromEntries(
        [...backends].map(([name, backend]) => [name, backend.describe()]),
      ),
      keymaps: this.#config.keymaps,
    };
  }

  /** One point every `interval` seconds, like a client's: through the keymap, and only where that has a place for it. */
  async #writeStatistics(): Promise<void> {
    const { interval, listenAddr } = this.#config.proxy;
    if (interval === 0 || this.#keymap.routeOf(STATISTICS_MEASUREMENT) === undefined) return;
    const statistics = new Statistics(this.#counters, { addr: listenAddr, host: hostname() });
    const { clock, log } = this.#parts;
    const { signal } = this.#stop;
    for (;;) {
      await clock.sleep(interval * 1000, signal);
      if (signal.aborted) return;
      const body = Buffer.from(statistics.nextLine());
      const write = this.#writePath.write({ client: '', rp: '', precision: 'ns', body });
      const error = await write.catch((reason: unknown) => ({ error: messageOf(reason) }));
      if (error !== undefined) log.warn({ reason: error.error }, 'statistics were not written');
    }
  }
}
