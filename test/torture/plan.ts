import type { SenderOptions } from '../../src/write/sender.ts';
import type { Random } from './random.ts';

export interface BackendPlan extends Omit<SenderOptions, 'db'> {
  readonly timeout: number;
  readonly checkInterval: number;
  readonly maxSpillBytes: number;
  readonly segmentBytes: number;
  readonly onSpillFull: 'detach' | 'reject';
  /** Measurements that have another type here: this backend refuses them, the others store them. */
  readonly strangers: readonly string[];
}

/** Everything about a schedule that is settled before it begins. */
export interface Plan {
  readonly backends: readonly BackendPlan[];
  readonly keymaps: Readonly<Record<string, readonly string[]>>;
  readonly maxInflightBytes: number;
  readonly gzipLevel: number;
  readonly diskLatencyMs: number;
  readonly clients: number;
  readonly requestsPerClient: number;
  readonly thinkMs: number;
  /** How likely a request is of the kind that writes, or deletes, points of all clients. */
  readonly sharing: number;
  /** Milliseconds after which all faults stop. */
  readonly faultsMs: number;
  readonly kills: number;
  readonly shutdowns: number;
  /** The disk has moods, and the limits are so tight that clients are turned away. */
  readonly diskFaults: boolean;
  readonly tight: boolean;
  /** The disk says at times that it is nearly full. */
  readonly lowDisk: boolean;
  /** Lines without a timestamp; only where nothing makes a client send a request again. */
  readonly untimed: boolean;
}

export const MEASUREMENTS = ['both', 'ab', 'bc', 'solo', 'split'] as const;

export function draw(random: Random): Plan {
  const calm = random.chance(0.15);
  const diskFaults = !calm && random.chance(0.4);
  const tight = !calm && random.chance(0.25);
  const lowDisk = !calm && random.chance(0.25);
  const kills = calm || random.chance(0.4) ? 0 : random.between(1, 4);
  const shutdowns = calm || random.chance(0.6) ? 0 : random.between(1, 2);
  const names = ['a', 'b', 'c'].slice(0, random.between(2, 3));
  return {
    backends: names.map((name) => drawBackend(name, random, tight)),
    keymaps: {
      both: names,
      ab: ['a', 'b'],
      bc: names.slice(-2),
      solo: [random.pick(names)],
      split: names,
    },
    maxInflightBytes: tight ? random.between(1_000, 8_000) : 10_000_000,
    gzipLevel: random.between(0, 1),
    diskLatencyMs: random.pick([0, 2, 30]),
    clients: random.between(1, 6),
    requestsPerClient: random.between(3, 20),
    thinkMs: random.pick([0, 20, 200]),
    sharing: random.pick([0.1, 0.3, 0.9]),
    faultsMs: random.between(500, 12_000),
    kills,
    shutdowns,
    diskFaults,
    tight,
    lowDisk,
    untimed: !diskFaults && !tight && !lowDisk && kills === 0 && shutdowns === 0,
  };
}

function drawBackend(name: string, random: Random, tight: boolean): BackendPlan {
  const spillAfter = random.pick([10, 50, 500]);
  return {
    name,
    gzip: random.chance(0.7),
    maxRowLimit: random.pick([1, 7, 30, 1000]),
    interval: random.pick([5, 50, 200]),
    spillAfter,
    rewriteInterval: random.pick([100, 1000, 5000]),
    timeout: spillAfter + random.pick([20, 300, 3000]),
    checkInterval: random.pick([50, 300, 1000]),
    maxQueuedBytes: random.pick([200, 5_000, 1_000_000]),
    maxSpillBytes: tight ? random.between(12_000, 30_000) : 10_000_000,
    onSpillFull: random.pick(['detach', 'reject']),
    segmentBytes: random.pick([200, 1_000, 8_000, 1_000_000]),
    strangers: random.chance(0.12) ? ['split'] : [],
  };
}
