import type { QueryForm } from '../backend/influxdb.ts';
import type { QueryInFlight } from '../backend/query-in-flight.ts';
import type { Signal } from '../core/signal.ts';

/** One backend as a query sees it. */
export interface Replica {
  readonly name: string;
  readonly zone: string;
  /** The database on this backend. */
  readonly db: string;
  /** A new or restored server: never read from, in any zone. */
  readonly writeOnly: boolean;
  /** It misses points for good: never read from, even if it is the last one. */
  readonly isDetached: boolean;
  /** Milliseconds for a query from its start to the end of the answer. */
  readonly timeoutQuery: number;
  /** It has every acknowledged point. */
  readonly isComplete: boolean;
  readonly isUp: boolean;
  /** Aborts when the backend goes down. */
  readonly downSignal: Signal;
  readonly backlogBytes: number;
  /** Throws when it may not be asked. */
  query(form: QueryForm, headers: Readonly<Record<string, string>>): QueryInFlight;
}

/**
 * Who is asked, in this order: complete replicas before those that are catching up (smallest backlog first), within each
 * group the own zone first, then the least busy. A server that is down does not answer, so it comes after all of them;
 * one that was never heard of may answer, and if it is complete it is better than one with holes. Never one that is only
 * written to or detached.
 */
export function readOrder(
  replicas: readonly Replica[],
  zone: string,
  busy: (replica: Replica) => number,
): readonly Replica[] {
  const rank = (replica: Replica): readonly number[] => [
    ...rankOf(replica, zone),
    replica.isComplete ? 0 : replica.backlogBytes,
    busy(replica),
  ];
  return replicas
    .filter(({ writeOnly, isDetached }) => !writeOnly && !isDetached)
    .map((replica) => ({ replica, rank: rank(replica) }))
    .toSorted((a, b) => compareRanks(a.rank, b.rank))
    .map(({ replica }) => replica);
}

/** How good an answer of the replica may be; the smaller the better, the first numbers count most. */
export function rankOf(replica: Replica, zone: string): readonly number[] {
  return [
    replica.downSignal.aborted ? 1 : 0,
    replica.isComplete ? 0 : 1,
    replica.isUp ? 0 : 1,
    replica.zone === zone ? 0 : 1,
  ];
}

export function compareRanks(a: readonly number[], b: readonly number[]): number {
  const difference = a.map((value, index) => value - (b[index] ?? 0)).find((delta) => delta !== 0);
  return difference ?? 0;
}
