import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';
import { httpRequest } from '../support/http-client.ts';

const PAUSE_MS = 40;
const POINTS_PER_MEASUREMENT = 10;

/** Writes one batch after the other, some points of each measurement in each, and counts what is acknowledged. */
export class Writer {
  /** Requests that were not answered 204, in words. */
  readonly failures: string[] = [];
  slowestMs = 0;
  /** Points of each measurement that were acknowledged. */
  acknowledged = 0;
  readonly #url: string;
  readonly #measurements: readonly string[];
  // Each point its own nanosecond: none overwrites another, so servers can be asked for counts.
  #nextNanosecond = BigInt(Date.now()) * 1_000_000n;

  constructor(proxyUrl: string, db: string, measurements: readonly string[]) {
    this.#url = `${proxyUrl}/write?db=${db}`;
    this.#measurements = measurements;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#writeBatch();
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #writeBatch(): Promise<void> {
    const start = performance.now();
    try {
      const { status, text } = await httpRequest(this.#url, { body: this.#batch(), gzip: true });
      if (status === 204) this.acknowledged += POINTS_PER_MEASUREMENT;
      else this.failures.push(`${status} ${text}`);
    } catch (error) {
      this.failures.push(messageOf(error));
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
  }

  #batch(): string {
    const lines: string[] = [];
    for (let i = 0; i < POINTS_PER_MEASUREMENT; i++) {
      const time = this.#nextNanosecond++;
      for (const name of this.#measurements) lines.push(`${name},host=h${i} n=${time}i ${time}`);
    }
    return lines.join('\n');
  }
}
