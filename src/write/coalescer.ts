import type { Budget } from '../core/budget.ts';
import type { CancelTimer, Clock } from '../core/time.ts';
import { Batch, MAX_BATCH_BYTES, type Part, type WriteTarget } from './batch.ts';
import type { Compressor } from './compressor.ts';
import type { Verdict } from './verdict.ts';

/** Takes batches of one backend, in the order of the calls. */
export interface Destination {
  readonly detachment: { readonly isDetached: boolean };
  /** It gets batches compressed. */
  readonly gzip: boolean;
  deliver(batch: Batch): Delivery;
}

export interface Delivery {
  /** One verdict a part. Rejects when the points are neither stored nor on disk. */
  readonly verdicts: Promise<readonly Verdict[]>;
  /** Resolves when the batch's memory is not used any more: it may be on its way after it was spilled. */
  readonly released: Promise<void>;
}

export interface CoalescerOptions {
  readonly target: WriteTarget;
  /** The backends of the route; every one gets every batch. */
  readonly destinations: readonly Destination[];
  /** Points in a batch; one part may hold more only if it arrives so. */
  readonly maxPoints: number;
  /** The longest time that a part waits for others, milliseconds. */
  readonly maxWaitMs: number;
  readonly compressor: Compressor;
  /** Nothing is gathered and nothing on its way: it can be forgotten. */
  readonly onIdle: () => void;
}

/**
 * Bytes from which on a part is compressed by itself as soon as it is there: beside others, and while a batch is on its way.
 * Smaller ones are compressed together, which makes less of them.
 */
const EARLY_BYTES = 64 * 1024;

/**
 * Turns of the event loop in which parts gather, as long as each brings more. A busy proxy reads a few requests in a turn, and
 * clients that were answered together come back within some turns: with 32 of them a batch holds twice as many parts as if it
 * left with the first turn, and a request costs a fifth less CPU time.
 */
const MAX_TURNS = 5;

interface Waiting {
  readonly part: Part;
  readonly resolve: (verdicts: readonly Verdict[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the parts of one write target while a batch is on its way, and sends them on together as soon as the fastest
 * backend has answered: a turn of the event loop more when idle, large batches when busy.
 */
export class Coalescer {
  #waiting: Waiting[] = [];
  #waitingPoints = 0;
  #waitingBytes = 0;
  // Batches that no backend has answered yet.
  #underway = 0;
  #cancelTimer: CancelTimer | undefined;
  // Set while it will look, at the end of this turn of the event loop, whether to send.
  #look: NodeJS.Immediate | undefined;
  // Of what waits: the turns that have ended meanwhile, and how many parts there were at the end of the last.
  #turns = 0;
  #seen = 0;
  readonly #options: CoalescerOptions;
  readonly #clock: Clock;
  readonly #budget: Budget;

  constructor(options: CoalescerOptions, clock: Clock, budget: Budget) {
    this.#options = options;
    this.#clock = clock;
    this.#budget = budget;
  }

  /** One verdict per backend of the route. Rejects when a backend could neither store nor spill the part. */
  add(part: Part): Promise<readonly Verdict[]> {
    const { points, payload } = part;
    const isMore = this.#waitingBytes + payload.length > MAX_BATCH_BYTES;
    if (isMore || this.#waitingPoints + points > this.#options.maxPoints) this.#send();
    const verdicts = new Promise<readonly Verdict[]>((resolve, reject) => {
      this.#waiting.push({ part: this.#compressedEarly(part), resolve, reject });
    });
    this.#waitingPoints += points;
    this.#waitingBytes += payload.length;
    if (this.#waitingPoints >= this.#options.maxPoints) this.#send();
    else if (this.#underway === 0) this.#sendSoon();
    else this.#cancelTimer ??= this.#clock.after(this.#options.maxWaitMs, this.#send);
    return verdicts;
  }

  #compressedEarly(part: Part): Part {
    const { destinations, compressor } = this.#options;
    if (part.gzipped !== undefined || part.payload.length < EARLY_BYTES) return part;
    // A batch that none waits for compressed is gone, and its memory given back, before it is.
    if (!destinations.some(({ gzip, detachment }) => gzip && !detachment.isDetached)) return part;
    const gzipped = compressor.gzip(part.payload);
    // Whoever sends the batch will know.
    gzipped.catch(() => undefined);
    return { ...part, gzipped };
  }

  /** When a turn of the event loop has brought nothing more. */
  #sendSoon(): void {
    this.#look ??= setImmediate(this.#sendUnlessMoreCome);
  }

  readonly #sendUnlessMoreCome = (): void => {
    this.#look = undefined;
    const { length } = this.#waiting;
    this.#turns += 1;
    if (length === this.#seen || this.#turns === MAX_TURNS) {
      this.#send();
      return;
    }
    this.#seen = length;
    this.#sendSoon();
  };

  readonly #send = (): void => {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    clearImmediate(this.#look);
    this.#look = undefined;
    this.#turns = 0;
    this.#seen = 0;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#waitingPoints = 0;
    this.#waitingBytes = 0;
    void this.#dispatch(waiting);
  };

  /** The bodies that the parts came in are given back when their clients are answered; a batch may outlive that. */
  #account({ bytes }: Batch, deliveries: readonly Delivery[]): void {
    this.#budget.take(bytes);
    void Promise.all(deliveries.map(({ released }) => released)).then(() => {
      this.#budget.give(bytes);
    });
  }

  async #dispatch(waiting: readonly Waiting[]): Promise<void> {
    const { target, destinations, compressor, onIdle } = this.#options;
    const parts = waiting.map(({ part }) => part);
    const batch = new Batch(target, parts, compressor);
    const deliveries = destinations.map((destination) => destination.deliver(batch));
    this.#account(batch, deliveries);
    this.#underway += 1;
    let isAnswered = false;
    const answered = (): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#underway -= 1;
      if (this.#underway === 0 && this.#waiting.length > 0) this.#sendSoon();
    };
    const verdicts = deliveries.map((delivery) => delivery.verdicts);
    for (const [index, ofBackend] of verdicts.entries()) {
      // One that is detached answers at once, which says nothing about how busy the others are.
      if (destinations[index]?.detachment.isDetached !== true) ofBackend.then(answered, answered);
    }
    try {
      const perBackend = await Promise.all(verdicts);
      for (const [index, { resolve }] of waiting.entries()) {
        resolve(perBackend.map((ofBackend) => verdictOf(ofBackend, index)));
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
    answered();
    if (this.#underway === 0 && this.#waiting.length === 0) onIdle();
  }
}

function verdictOf(verdicts: readonly Verdict[], index: number): Verdict {
  const verdict = verdicts[index];
  if (verdict === undefined) throw new Error(`BUG: no verdict on part ${index}`);
  return verdict;
}
