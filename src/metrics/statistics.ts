import type { Counters } from './counters.ts';

/**
 * Field names of the older proxy, so that its dashboards keep working, and below them our own; each is the change since the
 * last point.
 */
const FIELDS: readonly (readonly [string, (counters: Counters) => number])[] = [
  ['statQueryRequest', ({ queries }) => queries.total],
  ['statQueryRequestFail', ({ queries }) => queries.failed],
  ['statQueryRequestDuration', ({ queries }) => queries.nanoseconds],
  ['statWriteRequest', ({ writes }) => writes.total],
  ['statWriteRequestFail', ({ writes }) => writes.failed],
  ['statWriteRequestDuration', ({ writes }) => writes.nanoseconds],
  ['statPingRequest', ({ pings }) => pings],
  ['statPointsWritten', ({ points }) => points],
  ['statPointsWrittenFail', ({ pointsFailed }) => pointsFailed],
  ['statPointsDiverged', ({ pointsDiverged }) => pointsDiverged],
];

/** The measurement of the proxy's own statistics. */
export const STATISTICS_MEASUREMENT = 'influxdb.cluster';

/** Turns the counters into one line of line protocol at a time, without a timestamp. */
export class Statistics {
  readonly #counters: Counters;
  readonly #head: string;
  readonly #last = new Map<string, number>();

  constructor(counters: Counters, tags: { readonly addr: string; readonly host: string }) {
    this.#counters = counters;
    this.#head = `${STATISTICS_MEASUREMENT},addr=${escapeTag(tags.addr)},host=${escapeTag(tags.host)}`;
  }

  nextLine(): string {
    const fields = FIELDS.map(([name, valueOf]) => {
      const value = valueOf(this.#counters);
      const change = value - (this.#last.get(name) ?? 0);
      this.#last.set(name, value);
      return `${name}=${change}i`;
    });
    return `${this.#head} ${fields.join(',')}\n`;
  }
}

function escapeTag(value: string): string {
  return value.replace(/[ ,=]/g, (character) => `\\${character}`);
}
