import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../support/http-client.ts';
import { bodyOf, type LineStream } from './lines.ts';

/** What came of the writes of one phase. */
export interface Paced {
  readonly acknowledgedLines: number;
  readonly refusedLines: number;
  /** From the moment when a write was due, so that one that had to wait for others counts in full. */
  readonly latenciesMs: readonly number[];
}

const LINES_PER_BODY = 1_000;
const BODIES = 16;
const MAX_CONNECTIONS = 64;

/** Writes at a steady rate, however long their answers take. */
export class PacedLoad {
  readonly #url: string;
  readonly #periodMs: number;
  readonly #bodies: readonly Buffer[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });

  constructor(origin: string, stream: LineStream, linesPerSecond: number) {
    this.#url = `${origin}/write?db=bench`;
    this.#periodMs = (LINES_PER_BODY / linesPerSecond) * 1_000;
    this.#bodies = Array.from({ length: BODIES }, (_, index) =>
      bodyOf(stream, index * LINES_PER_BODY, LINES_PER_BODY),
    );
  }

  /** Until `end` settles; resolves when every write has been answered. */
  async run(end: Promise<unknown>): Promise<Paced> {
    const paced = { acknowledgedLines: 0, refusedLines: 0, latenciesMs: [] as number[] };
    const write = async (turn: number, due: number): Promise<void> => {
      const body = this.#bodies[turn % BODIES] ?? '';
      const { status } = await httpRequest(this.#url, { agent: this.#agent, body });
      paced.latenciesMs.push(performance.now() - due);
      if (status === 204) paced.acknowledgedLines += LINES_PER_BODY;
      else paced.refusedLines += LINES_PER_BODY;
    };
    const over = new AbortController();
    const ended = end.finally(() => {
      over.abort();
    });
    const start = performance.now();
    const writes: Promise<void>[] = [];
    while (!over.signal.aborted) {
      const due = start + writes.length * this.#periodMs;
      const waitMs = due - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      writes.push(write(writes.length, due));
    }
    await Promise.all(writes);
    await ended;
    return paced;
  }

  close(): void {
    this.#agent.destroy();
  }
}
