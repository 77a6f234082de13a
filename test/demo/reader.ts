import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';
import { httpRequest } from '../support/http-client.ts';
import type { InfluxqlAnswer } from '../support/influxql-answer.ts';

const PAUSE_MS = 100;

/** Counts a measurement's points through the proxy, again and again, against what was acknowledged before. */
export class Reader {
  queries = 0;
  /** Answers that missed an acknowledged point, and queries that were not answered, in words. */
  readonly failures: string[] = [];
  /** The latest count. */
  seen = 0;
  readonly #url: string;
  readonly #measurement: string;
  readonly #acknowledged: () => number;

  constructor(proxyUrl: string, measurement: string, acknowledged: () => number) {
    this.#url = proxyUrl;
    this.#measurement = measurement;
    this.#acknowledged = acknowledged;
  }

  async run(db: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#readOnce(db);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #readOnce(db: string): Promise<void> {
    const expected = this.#acknowledged(); // before the query: later points may be in it or not
    this.queries++;
    try {
      this.seen = await countPoints(this.#url, db, this.#measurement);
      if (this.seen < expected) this.failures.push(`${this.seen} points instead of ${expected}`);
    } catch (error) {
      this.failures.push(messageOf(error));
    }
  }
}

/** Asks a server, or the proxy, how many points a measurement has; throws the answer when it is not a count. */
export async function countPoints(url: string, db: string, measurement: string): Promise<number> {
  const q = `SELECT count(n) FROM "${measurement}"`;
  const query = new URLSearchParams({ db, q }).toString();
  const { status, text } = await httpRequest(`${url}/query?${query}`);
  const result = status === 200 ? (JSON.parse(text) as InfluxqlAnswer).results?.[0] : undefined;
  if (result === undefined || result.error !== undefined) throw new Error(`${status} ${text}`);
  return Number(result.series?.[0]?.values?.[0]?.[1] ?? 0);
}
