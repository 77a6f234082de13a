import { gunzipSync } from 'node:zlib';
import { type Outcome, outcomeOf, outcomeOfFailure } from '../../src/backend/outcome.ts';
import type { WriteBody } from '../../src/backend/influxdb.ts';
import { answer, type Answer, type Line, linesOf, ModelInflux } from './model-influx.ts';
import type { Random } from './random.ts';
import type { Process, Scheduler } from './scheduler.ts';

/** What a backend does for a while. */
export type Mood = 'well' | 'down' | 'hung' | 'slow' | 'failing' | 'moody' | 'small';

/** What it does with one request. */
type Act =
  | 'answer'
  | 'answer late'
  | 'refuse connection'
  | 'reset'
  | 'cut answer'
  | 'hang'
  | 'error'
  | 'refuse body'
  | 'too large';

export interface ModelBackendOptions {
  readonly name: string;
  /** What the proxy waits for an answer, and for one before it spills. */
  readonly timeoutMs: number;
  readonly spillAfterMs: number;
  /** Measurements whose fields have another type here. */
  readonly strangers: readonly string[];
}

export interface Sent {
  readonly target: { readonly rp: string; readonly precision: string };
  readonly lines: readonly Line[];
}

const ACTS: Readonly<Record<Mood, Readonly<Partial<Record<Act, number>>>>> = {
  well: { answer: 1 },
  down: { 'refuse connection': 1 },
  hung: { hang: 1 },
  slow: { 'answer late': 1 },
  failing: { error: 1 },
  moody: {
    ...{ answer: 6, 'answer late': 2, 'refuse connection': 1, reset: 1, 'cut answer': 1 },
    ...{ hang: 1, error: 2, 'refuse body': 1, 'too large': 1 },
  },
  small: { answer: 1, 'too large': 2 },
};

/** In words of influxd, or of a load balancer before it. */
const ERRORS: readonly Answer[] = [
  answer(500, 'timeout'),
  answer(500, 'engine: cache-max-memory-size exceeded: (1073741834/1073741824)'),
  { status: 503, body: 'Service Unavailable' },
  { status: 429, body: 'Too Many Requests' },
  { status: 401, body: '{"error":"authorization failed"}\n' },
  answer(404, 'database not found: "db"'),
];

/**
 * One InfluxDB server with moods. What it has received it applies at most until the request ends: a request is open until
 * it was answered, its connection broke or its time is up, and the proxy promises nothing about one that is executed
 * later still. A request that failed may have been applied.
 */
export class ModelBackend {
  readonly influx: ModelInflux;
  readonly name: string;
  mood: Mood = 'well';
  /** Sees every request when it starts. */
  onSend: (sent: Sent) => void = () => undefined;
  /** Called when a request has been applied and not answered yet. */
  onApplied: () => void = () => undefined;
  readonly acts = new Map<Act, number>();
  open = 0;
  sends = 0;
  readonly #options: ModelBackendOptions;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  /** How to end what is open. */
  readonly #cuts = new Set<() => void>();

  constructor(options: ModelBackendOptions, random: Random, scheduler: Scheduler) {
    this.name = options.name;
    this.influx = new ModelInflux(options.strangers);
    this.#options = options;
    this.#random = random;
    this.#scheduler = scheduler;
  }

  send(body: WriteBody, process: Process): Promise<Outcome> {
    const { rp, precision, payload, gzipped } = body;
    const sent = {
      target: { rp, precision },
      lines: linesOf(gzipped ? gunzipSync(payload) : payload),
    };
    this.sends += 1;
    this.onSend(sent);
    const act = this.#actOf(sent);
    this.acts.set(act, (this.acts.get(act) ?? 0) + 1);
    return this.#perform(act, sent, process);
  }

  probe(timeoutMs: number): Promise<string> {
    const isWell =
      ['well', 'slow', 'small'].includes(this.mood) ||
      (this.mood !== 'down' && this.mood !== 'hung' && this.#random.chance(0.7));
    const ms = this.mood === 'hung' ? timeoutMs : this.#random.between(0, 5);
    return new Promise((resolve, reject) => {
      this.#scheduler.after(ms, () => {
        if (isWell) resolve('1.8.10');
        else reject(new Error('no answer'));
      });
    });
  }

  /** The proxy has closed its connections, or died. */
  disconnect(): void {
    for (const cut of this.#cuts) cut();
  }

  #actOf({ lines }: Sent): Act {
    const act = this.#random.weighted(ACTS[this.mood] as Record<Act, number>);
    // Only what a single line is told stands, and that must not depend on moods.
    const needsMany = act === 'refuse body' || act === 'too large';
    return needsMany && lines.length < 2 ? 'answer' : act;
  }

  #perform(act: Act, sent: Sent, process: Process): Promise<Outcome> {
    const { timeoutMs, spillAfterMs } = this.#options;
    const random = this.#random;
    let reply: Answer | undefined;
    const apply = (): void => {
      reply = this.influx.write(sent.target, sent.lines);
      this.onApplied();
    };
    const quick = random.between(0, 6);
    const late = random.between(Math.min(spillAfterMs, timeoutMs - 1), timeoutMs - 1);
    const end = { answer: quick, 'answer late': late, hang: timeoutMs, reset: late }[act as string];
    const endMs = end ?? quick;
    const isApplied =
      { answer: 1, 'answer late': 1, 'cut answer': 1, hang: 0.6, reset: 0.6, error: 0.3 }[
        act as string
      ] ?? 0;
    const willApply = random.chance(isApplied);
    const failed = (error: Error): Outcome => outcomeOfFailure(error);
    return new Promise((resolve) => {
      const finish = (outcome: () => Outcome): void => {
        cancelApply();
        cancelEnd();
        this.#cuts.delete(cut);
        this.open -= 1;
        // Received, so perhaps executed, but not later.
        if (willApply && reply === undefined) apply();
        const result = outcome();
        if (process.isAlive) resolve(result);
      };
      const cut = (): void => {
        finish(() => failed(broken('UND_ERR_DESTROYED')));
      };
      const outcomes: Record<Act, () => Outcome> = {
        answer: () => this.#read(reply),
        'answer late': () => this.#read(reply),
        'refuse connection': () => failed(broken('ECONNREFUSED')),
        reset: () => failed(broken('ECONNRESET')),
        'cut answer': () => failed(broken('UND_ERR_SOCKET')),
        hang: () => failed(new Error(`no answer within ${timeoutMs} ms`)),
        error: () => this.#read(random.pick(ERRORS)),
        'refuse body': () => this.#read(answer(400, 'unable to parse')),
        'too large': () => this.#read(answer(413, 'Request Entity Too Large')),
      };
      this.open += 1;
      this.#cuts.add(cut);
      const cancelApply = willApply
        ? this.#scheduler.after(random.between(0, endMs), apply)
        : (): void => undefined;
      const cancelEnd = this.#scheduler.after(endMs, () => {
        finish(outcomes[act]);
      });
    });
  }

  #read(reply: Answer | undefined): Outcome {
    if (reply === undefined) throw new Error('an answer without a reply');
    const retryAfter = reply.status === 503 && this.#random.chance(0.5) ? '1' : undefined;
    return outcomeOf({ ...reply, retryAfter }, this.#scheduler.nowMs);
  }
}

function broken(code: string): Error {
  return Object.assign(new Error(code), { code });
}
