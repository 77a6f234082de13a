import { NANOSECONDS_PER, type Precision } from '../../src/lineprotocol/precision.ts';
import type { Book } from './book.ts';
import type { Deletion } from './model-backend.ts';
import { parseLine, type Line } from './model-influx.ts';
import { MEASUREMENTS, type Plan } from './plan.ts';
import type { Reply } from './proxy.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** One write as its client means it. */
export interface WriteRequest {
  /** Rises with each request of a client. */
  readonly ordinal: number;
  readonly client: string;
  readonly rp: string;
  readonly precision: Precision;
  readonly lines: readonly Line[];
  /** Lines that have no measurement with a route, or cannot be parsed. */
  readonly hasRubbish: boolean;
}

export type Request = WriteRequest | Deletion;

export interface ClientDeps {
  readonly plan: Plan;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly book: Book;
  readonly post: (request: Request) => Promise<Reply>;
  readonly nextOrdinal: () => number;
}

/** All timestamps are whole hours, so that one point can be written in any precision. */
const FIRST_HOUR = 472_222;
const PRECISIONS = Object.keys(NANOSECONDS_PER) as Precision[];

function timeOf(hour: number, precision: Precision): bigint {
  return (BigInt(hour) * NANOSECONDS_PER.h) / NANOSECONDS_PER[precision];
}

function sharedSeries(k: number): string {
  return `both,client=all,k=${k}`;
}

/** Writes and deletes points of its own, again and again, each write only after the one before it was answered for good. */
export class Client {
  isDone = false;
  attempts = 0;
  #fresh = 0;
  readonly #id: number;
  readonly #deps: ClientDeps;

  constructor(id: number, deps: ClientDeps) {
    this.#id = id;
    this.#deps = deps;
  }

  async run(): Promise<void> {
    const { plan, random, scheduler, book } = this.#deps;
    for (let count = 0; count < plan.requestsPerClient; count++) {
      await scheduler.sleep(random.between(0, plan.thinkMs));
      const request = this.#draw();
      book.announce(request);
      book.settle(request, await this.#send(request));
    }
    this.isDone = true;
  }

  /** Until it is stored or refused. */
  async #send(request: Request): Promise<Exclude<Reply, { kind: 'unavailable' }>> {
    const { random, scheduler, post, plan } = this.#deps;
    for (;;) {
      this.attempts += 1;
      const answer = post(request);
      // A request that is given up is carried out all the same.
      const isHasty = !plan.untimed && random.chance(0.1);
      const patience = scheduler.sleep(random.between(0, 600)).then(() => undefined);
      const reply = await (isHasty ? Promise.race([answer, patience]) : answer);
      if (reply !== undefined && reply.kind !== 'unavailable') return reply;
      await scheduler.sleep(random.between(0, 300));
    }
  }

  #draw(): Request {
    const { plan, random, nextOrdinal } = this.#deps;
    const ordinal = nextOrdinal();
    const isSharing = random.chance(plan.sharing);
    if (random.chance(0.1)) {
      const k = random.between(0, 1);
      const series = this.#series(random.pick(MEASUREMENTS), k);
      return { ordinal, series: isSharing ? sharedSeries(k) : series };
    }
    const rp = isSharing ? '' : random.weighted({ '': 5, autogen: 2, short: 2, gone: 0.15 });
    const precision = random.pick(PRECISIONS);
    const lines = Array.from({ length: random.between(1, 8) }, () =>
      this.#line(ordinal, precision),
    );
    // Written by all clients in no order: what has one route and policy is one sequence, the same on every backend.
    if (isSharing) {
      const time = timeOf(FIRST_HOUR, precision);
      lines.push(parseLine(`${sharedSeries(random.between(0, 1))} v=${ordinal} ${time}`));
    }
    const rubbish = random.chance(0.02) ? [this.#rubbish(ordinal)] : [];
    return {
      ...{ ordinal, client: `client ${this.#id}`, rp, precision },
      lines: [...lines, ...rubbish],
      hasRubbish: rubbish.length > 0,
    };
  }

  /** A point that was written before, a new one, one of the wrong type, or one without a timestamp. */
  #line(ordinal: number, precision: Precision): Line {
    const { random, plan } = this.#deps;
    const kind = random.weighted({
      again: 8,
      fresh: 4,
      conflict: 0.15,
      untimed: plan.untimed ? 1 : 0,
    });
    const measurement = random.pick(MEASUREMENTS);
    const k = kind === 'again' ? random.between(0, 2) : `${kind}${this.#fresh++}`;
    const value = kind === 'conflict' ? '"text"' : String(ordinal);
    const fields = random.chance(0.5) ? `v=${value}` : `v=${value},w=${ordinal}`;
    const series = this.#series(measurement, k);
    if (kind === 'untimed') return parseLine(`${series} ${fields}`);
    // Weeks apart: two shards.
    const hour = FIRST_HOUR + random.between(0, 1) * 500;
    return parseLine(`${series} ${fields} ${timeOf(hour, precision)}`);
  }

  #series(measurement: string, k: number | string): string {
    return `${measurement},client=${this.#id},k=${k}`;
  }

  #rubbish(ordinal: number): Line {
    return parseLine(
      this.#deps.random.pick([`nowhere,client=${this.#id} v=${ordinal} 1`, `broken${ordinal}`]),
    );
  }
}
