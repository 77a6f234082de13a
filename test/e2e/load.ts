import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cleanup } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import type { Influxd } from '../support/influxd.ts';
import type { ProxyProcess } from '../support/proxy.ts';
import { assertSameRows, DB } from './replica-pair.ts';

/** Points that a write adds to `load`; one more rewrites the writer's only point of `last`. */
const NEW_POINTS = 3;
/** What a client pauses before it sends the same body again. */
const RETRY_PAUSE_MS = 20;
const BASE_TIME = 1_700_000_000_000_000_000n;

/**
 * Clients that write without a pause, each one request at a time, and that send a body again until it is acknowledged,
 * as Telegraf does. So when they have stopped, every point that was ever sent is acknowledged, and what both servers
 * must hold is known exactly. Each write also overwrites one point: were an older write to come after a newer one,
 * the servers would show it.
 */
export class Load {
  /** Writes that were answered 204. */
  acknowledged = 0;
  /** Milliseconds of the slowest one of them, since `acknowledged` was last asked for by `more`. */
  slowestMs = 0;
  /** Answers other than 204, and broken connections. */
  readonly failures: string[] = [];
  readonly #proxy: ProxyProcess;
  readonly #agent = new Agent({ keepAlive: true });
  /** Writes of each writer so far. */
  readonly #written: number[];
  readonly #running: Promise<void>[];
  #isStopping = false;
  #isAbandoned = false;

  /** Starts at once. What the test does not stop ends with it. */
  constructor(t: Cleanup, proxy: ProxyProcess, writers = 4) {
    this.#proxy = proxy;
    t.after(() => {
      this.#isAbandoned = true;
      this.#agent.destroy();
    });
    this.#written = Array.from({ length: writers }, () => 0);
    this.#running = this.#written.map((_, writer) => this.#run(writer));
  }

  /** Resolves when so many more writes are acknowledged. */
  async more(writes: number, deadlineMs = 120_000): Promise<void> {
    const goal = this.acknowledged + writes;
    this.slowestMs = 0;
    const isReached = (): boolean => this.acknowledged >= goal;
    await eventually(`${writes} more writes`, isReached, { deadlineMs, intervalMs: 5 });
  }

  /** Resolves when the last write of every writer is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  /** Fails unless the server holds exactly what was written, after `stop`. */
  async assertStored(influxd: Influxd, name: string): Promise<void> {
    const load = this.#written.flatMap((writes, writer) =>
      Array.from(
        { length: writes * NEW_POINTS },
        (_, point) => `load {"w":"${writer}"} ${BASE_TIME + BigInt(point)} v:integer=${point}`,
      ),
    );
    const last = this.#written.map(
      (writes, writer) => `last {"w":"${writer}"} 1 v:integer=${writes}`,
    );
    assertSameRows(await influxd.rows(DB, 'load'), load.sort(), `load on ${name}`);
    assertSameRows(await influxd.rows(DB, 'last'), last.sort(), `last on ${name}`);
  }

  async #run(writer: number): Promise<void> {
    while (!this.#isStopping && !this.#isAbandoned) {
      await this.#write(this.#bodyOf(writer));
      this.#written[writer] = this.#writesOf(writer) + 1;
    }
  }

  #writesOf(writer: number): number {
    return this.#written[writer] ?? 0;
  }

  #bodyOf(writer: number): string {
    const writes = this.#writesOf(writer);
    const lines = Array.from({ length: NEW_POINTS }, (_, index) => {
      const point = writes * NEW_POINTS + index;
      return `load,w=${writer} v=${point}i ${BASE_TIME + BigInt(point)}\n`;
    });
    return `${lines.join('')}last,w=${writer} v=${writes + 1}i 1\n`;
  }

  async #write(body: string): Promise<void> {
    while (!this.#isAbandoned) {
      const start = performance.now();
      const failure = await this.#attempt(body);
      if (failure === undefined) {
        this.acknowledged += 1;
        this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
        return;
      }
      this.failures.push(failure);
      await sleep(RETRY_PAUSE_MS);
    }
  }

  async #attempt(body: string): Promise<string | undefined> {
    try {
      const answer = await this.#proxy.request('/write?db=metrics', { body, agent: this.#agent });
      return answer.status === 204 ? undefined : `${answer.status} ${answer.text}`;
    } catch (error) {
      return String(error);
    }
  }
}
