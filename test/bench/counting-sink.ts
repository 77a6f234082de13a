import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import path from 'node:path';
import type { Cleanup } from '../support/cleanup.ts';
import { freePort } from '../support/free-port.ts';

const PROGRAM = path.join(import.meta.dirname, 'counting-sink-worker.js');

/** `down`: it refuses and has broken its connections. `hung`: it takes everything and answers nothing. */
export type SinkState = 'up' | 'down' | 'hung';

export interface SinkData {
  readonly port: number;
  readonly linesPerSecond: number;
}

/** What it has answered with a 204 so far. */
export interface SinkCount {
  readonly lines: number;
  /** Of their text. */
  readonly bytes: number;
}

/**
 * An InfluxDB that stores nothing, in a thread of its own: it inflates what it gets, counts lines, and takes no more of
 * them than its capacity allows, one request after the other. It counts what it answers; what it held while it hung is
 * never executed.
 */
export class CountingSink {
  readonly origin: string;
  readonly #worker: Worker;

  private constructor(origin: string, worker: Worker) {
    this.origin = origin;
    this.#worker = worker;
  }

  static async start(t: Cleanup, linesPerSecond: number): Promise<CountingSink> {
    const port = await freePort();
    const workerData: SinkData = { port, linesPerSecond };
    const worker = new Worker(PROGRAM, { workerData });
    t.after(async () => {
      await worker.terminate();
    });
    const sink = new CountingSink(`http://127.0.0.1:${port}`, worker);
    await sink.become('up');
    return sink;
  }

  /** Resolves when it is so, with what it has counted until then. */
  async become(state: SinkState): Promise<SinkCount> {
    return this.#ask(state);
  }

  count(): Promise<SinkCount> {
    return this.#ask('count');
  }

  async #ask(question: SinkState | 'count'): Promise<SinkCount> {
    this.#worker.postMessage(question);
    const [count] = (await once(this.#worker, 'message')) as [SinkCount];
    return count;
  }
}
