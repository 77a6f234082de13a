import { Health } from './backend/health.ts';
import { InfluxServer } from './backend/influxdb.ts';
import type { BackendConfig } from './config/schema.ts';
import type { Log } from './core/log.ts';
import type { Scavenger } from './core/scavenger.ts';
import type { Clock } from './core/time.ts';
import type { Replica } from './query/replica.ts';
import { deadLetterFileOf, detachedFileOf, spillDirectoryOf } from './spill/data-dir.ts';
import { DeadLetter } from './spill/dead-letter.ts';
import { DetachedMarker } from './spill/detached-marker.ts';
import type { Disk } from './spill/disk.ts';
import type { FreeSpace } from './spill/free-space.ts';
import { Spill } from './spill/spill.ts';
import { Detachment } from './write/detachment.ts';
import { Sender } from './write/sender.ts';

/** A segment is the piece in which disk space comes back while a backlog drains. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Dead letters may take a tenth of what the spill may, and this at least. */
const MIN_DEAD_LETTER_BYTES = 1024 * 1024;

export interface DaemonBackendDeps {
  readonly dataDir: string;
  /** See SenderOptions. */
  readonly maxQueuedBytes: number;
  readonly disk: Disk;
  readonly space: FreeSpace;
  readonly scavenger: Scavenger;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

/** Everything that belongs to one backend, under its name. */
export class DaemonBackend {
  readonly name: string;
  readonly config: BackendConfig;
  readonly health: Health;
  readonly sender: Sender;
  readonly replica: Replica;
  readonly #server: InfluxServer;
  readonly #spill: Spill;
  readonly #deadLetter: DeadLetter;

  private constructor(
    parts: {
      name: string;
      config: BackendConfig;
      spill: Spill;
      deadLetter: DeadLetter;
      detachment: Detachment;
    },
    deps: DaemonBackendDeps,
  ) {
    const { name, config, spill, deadLetter, detachment } = parts;
    const { clock, log } = deps;
    const server = new InfluxServer(config, clock, deps.scavenger);
    const { checkInterval } = config;
    const probe = (timeoutMs: number): Promise<string> => server.ping(timeoutMs);
    const health = new Health({ name, checkInterval, probe }, clock, log);
    const sender = new Sender(
      { name, ...config, maxQueuedBytes: deps.maxQueuedBytes },
      {
        ...deps,
        send: (body) => server.write(body),
        execute: (form) => server.execute(form),
        health,
        spill,
        deadLetter,
        detachment,
      },
    );
    this.name = name;
    this.config = config;
    this.health = health;
    this.sender = sender;
    this.replica = replicaOf(name, config, { server, health, sender });
    this.#server = server;
    this.#spill = spill;
    this.#deadLetter = deadLetter;
  }

  /** Opens its spill and its dead letters; takes up a backlog when `start` is called. */
  static async open(
    name: string,
    config: BackendConfig,
    deps: DaemonBackendDeps,
  ): Promise<DaemonBackend> {
    const { dataDir, disk, log } = deps;
    const maxDeadLetterBytes = Math.max(MIN_DEAD_LETTER_BYTES, config.maxSpillBytes / 10);
    const deadLetter = await DeadLetter.open(
      deadLetterFileOf(dataDir, name),
      disk,
      maxDeadLetterBytes,
    );
    const marker = new DetachedMarker(detachedFileOf(dataDir, name), disk);
    const detachment = await Detachment.open({ name, ...config }, { ...deps, marker });
    // Last, because only a spill that is open has to be closed.
    const spill = await Spill.open(
      {
        directory: spillDirectoryOf(dataDir, name),
        maxBytes: config.maxSpillBytes,
        segmentBytes: SEGMENT_BYTES,
      },
      { disk, log },
    );
    return new DaemonBackend({ name, config, spill, deadLetter, detachment }, deps);
  }

  /** Begins health checks, and the replay of a backlog. */
  start(): void {
    void this.health.run();
    this.sender.start();
  }

  /** Whoever waits for this backend is answered from disk; then connections are cut and files closed. */
  async close(): Promise<void> {
    this.sender.surrender();
    const replayEnded = this.sender.close();
    this.health.close();
    await this.#server.close();
    await replayEnded;
    await this.#spill.close();
    await this.sender.detachment.close();
  }

  /** For `/meta`: its own settings, less its secrets, and its state. */
  describe(): Record<string, unknown> {
    const secrets: readonly string[] = ['username', 'password'];
    const { detachment, isComplete, backlog } = this.sender;
    const settings = Object.entries(this.config).filter(([key]) => !secrets.includes(key));
    return {
      ...Object.fromEntries(settings),
      up: this.health.isUp,
      state: detachment.isDetached ? 'detached' : isComplete ? 'complete' : 'catching up',
      detached: detachment.state,
      version: this.health.version,
      backlog,
      deadLetters: this.#deadLetter.entries,
    };
  }
}

function replicaOf(
  name: string,
  config: BackendConfig,
  parts: {
    readonly server: InfluxServer;
    readonly health: Health;
    readonly sender: Sender;
  },
): Replica {
  const { server, health, sender } = parts;
  const { zone, db, writeOnly, timeoutQuery } = config;
  return {
    ...{ name, zone, db, writeOnly, timeoutQuery },
    get isUp() {
      return health.isUp;
    },
    get isDetached() {
      return sender.detachment.isDetached;
    },
    get isComplete() {
      return sender.isComplete;
    },
    get downSignal() {
      return health.downSignal;
    },
    get backlogBytes() {
      return sender.backlog.bytes;
    },
    query: (form, headers) => {
      // It may have been detached since the order of the replicas was made.
      if (sender.detachment.isDetached) throw new Error('it is detached');
      return server.query(form, headers);
    },
  };
}
