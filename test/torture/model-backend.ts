import { gunzipSync } from 'node:zlib';
import {
  type Outcome,
  outcomeOf,
  outcomeOfFailure,
  type StatementOutcome,
  statementOutcomeOf,
} from '../../src/backend/outcome.ts';
import type { WriteBody } from '../../src/backend/influxdb.ts';
import { answer, type Answer, type Line, linesOf, ModelInflux } from './model-influx.ts';
import type { Random } from './random.ts';
import type { Process, Scheduler } from './scheduler.ts';

/** What a backend does for a while. */
export type Mood = 'well' | 'down' | 'hung' | 'lazy' | 'slow' | 'failing' | 'moody' | 'small';

/** What it does with one request. */
type Act =
  | 'answer'
  | 'answer slowly'
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

export interface Write {
  readonly target: { readonly rp: string; readonly precision: string };
  readonly lines: readonly Line[];
}

/** Of all points of one series. */
export interface Deletion {
  /** Of the client's request. */
  readonly ordinal: number;
  readonly series: string;
}

const ACTS: Readonly<Record<Mood, Readonly<Partial<Record<Act, number>>>>> = {
  well: { answer: 1 },
  down: { 'refuse connection': 1 },
  hung: { hang: 1 },
  lazy: { 'answer slowly': 1 },
  slow: { 'answer late': 1, 'answer slowly': 2 },
  failing: { error: 1 },
  moody: {
    ...{
      answer: 4,
      'answer slowly': 4,
      'answer late': 2,
      'refuse connection': 1,
      reset: 1,
      'cut answer': 1,
    },
    ...{ hang: 1, error: 2, 'refuse body': 1, 'too large': 1 },
  },
  small: { answer: 1, 'too large': 2 },
};

/** How likely the request was executed, whatever the proxy is told. */
const APPLIED: Readonly<Record<Act, number>> = {
  ...{
    answer: 1,
    'answer slowly': 1,
    'answer late': 1,
    'cut answer': 1,
    hang: 0.6,
    reset: 0.6,
    error: 0.3,
  },
  ...{ 'refuse connection': 0, 'refuse body': 0, 'too large': 0 },
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
  onSend: (sent: Write | Deletion) => void = () => undefined;
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

  async send(body: WriteBody, process: Process): Promise<Outcome> {
    const { rp, precision, payload, gzipped } = body;
    const target = { rp, precision };
    const lines = linesOf(gzipped ? gunzipSync(payload) : payload);
    this.onSend({ target, lines });
    const ending = await this.#perform(
      this.#actOf(lines.length),
      () => this.influx.write(target, lines),
      process,
    );
    if (ending instanceof Error) return outcomeOfFailure(ending);
    const retryAfter = ending.status === 503 && this.#random.chance(0.5) ? '1' : undefined;
    return outcomeOf({ ...ending, retryAfter }, this.#scheduler.nowMs);
  }

  /** Every statement deletes one series. */
  async execute(form: string, process: Process): Promise<StatementOutcome> {
    const deletion = deletionOf(form);
    this.onSend(deletion);
    const ending = await this.#perform(
      this.#actOf(1),
      () => this.influx.deleteSeries(deletion.series),
      process,
    );
    if (ending instanceof Error) return { kind: 'failed', reason: ending.message };
    return statementOutcomeOf(ending.status, ending.body);
  }

  probe(timeoutMs: number): Promise<string> {
    const isWell =
      ['well', 'lazy', 'slow', 'small'].includes(this.mood) ||
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

  #actOf(lines: number): Act {
    const act = this.#random.weighted(ACTS[this.mood] as Record<Act, number>);
    // Only what a single line is told stands, and that must not depend on moods.
    const needsMany = act === 'refuse body' || act === 'too large';
    return needsMany && lines < 2 ? 'answer' : act;
  }

  #perform(act: Act, execute: () => Answer, process: Process): Promise<Answer | Error> {
    this.sends += 1;
    this.acts.set(act, (this.acts.get(act) ?? 0) + 1);
    const random = this.#random;
    const endMs = this.#endOf(act);
    const willApply = random.chance(APPLIED[act]);
    return new Promise((resolve) => {
      let reply: Answer | undefined;
      const apply = (): void => {
        reply = execute();
        this.onApplied();
      };
      const finish = (ending: () => Answer | Error): void => {
        cancelApply();
        cancelEnd();
        this.#cuts.delete(cut);
        this.open -= 1;
        // Received, so perhaps executed, but not later.
        if (willApply && reply === undefined) apply();
        if (!process.isDead()) resolve(ending());
      };
      const cut = (): void => {
        finish(() => broken('UND_ERR_DESTROYED'));
      };
      this.open += 1;
      this.#cuts.add(cut);
      const cancelApply = willApply
        ? this.#scheduler.after(random.between(0, endMs), apply)
        : (): void => undefined;
      const cancelEnd = this.#scheduler.after(endMs, () => {
        finish(() => this.#endingOf(act, reply));
      });
    });
  }

  #endOf(act: Act): number {
    const { timeoutMs, spillAfterMs } = this.#options;
    if (act === 'hang') return timeoutMs;
    if (act === 'answer slowly') return this.#random.between(0, spillAfterMs);
    if (act !== 'answer late' && act !== 'reset') return this.#random.between(0, 6);
    return this.#random.between(Math.min(spillAfterMs, timeoutMs - 1), timeoutMs - 1);
  }

  #endingOf(act: Act, reply: Answer | undefined): Answer | Error {
    switch (act) {
      case 'answer':
      case 'answer slowly':
      case 'answer late':
        return reply ?? new Error('an answer without a reply');
      case 'refuse connection':
        return broken('ECONNREFUSED');
      case 'reset':
        return broken('ECONNRESET');
      case 'cut answer':
        return broken('UND_ERR_SOCKET');
      case 'hang':
        return new Error(`no answer within ${this.#options.timeoutMs} ms`);
      case 'error':
        return this.#random.pick(ERRORS);
      case 'refuse body':
        return answer(400, 'unable to parse');
      case 'too large':
        return answer(413, 'Request Entity Too Large');
    }
  }
}

/** The parameters of a statement as clients of the simulation send it, and back. */
export function formOf({ ordinal, series }: Deletion): string {
  return new URLSearchParams({ q: `DELETE ${series}`, ordinal: String(ordinal) }).toString();
}

function deletionOf(form: string): Deletion {
  const parameters = new URLSearchParams(form);
  const series = (parameters.get('q') ?? '').replace('DELETE ', '');
  return { ordinal: Number(parameters.get('ordinal')), series };
}

function broken(code: string): Error {
  return Object.assign(new Error(code), { code });
}
