import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome } from '../backend/outcome.ts';
import { invariant } from '../core/errors.ts';
import { Tally } from '../core/tally.ts';
import { targetKey } from './batch.ts';
import type { Consignment } from './consignment.ts';
import { Lane } from './lane.ts';
import { isRejection, judge, type Rejection } from './refusals.ts';
import { STORED, type Verdict } from './verdict.ts';

export interface LanesOptions {
  readonly gzip: boolean;
  /** Points in one request. */
  readonly maxRowLimit: number;
}

export interface LanesDeps {
  readonly send: (body: WriteBody) => Promise<Outcome>;
  /** The batch is with the backend, or refused by it: it needs no room in the spill any more. */
  readonly onAnswered: (consignment: Consignment) => void;
  /** A 204 for a batch that was surrendered meanwhile, and is on disk as this record. */
  readonly onLateAnswer: (sequence: number) => void;
  /** A request failed. By the time it returns, its batches have been surrendered. */
  readonly onFailure: (reason: string) => void;
}

/** The live requests to one backend: one at a time per write target, in the order in which the batches came. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  // Requests that have no outcome yet, those for surrendered batches included, and whoever holds the lanes.
  readonly #open = new Tally();
  #held: Tally | undefined;
  readonly #options: LanesOptions;
  readonly #deps: LanesDeps;

  constructor(options: LanesOptions, deps: LanesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /** No request is without an outcome. */
  get isQuiet(): boolean {
    return this.#open.count === 0;
  }

  /** Resolves once the lanes were quiet; look again, they may not be any more. */
  whenQuiet(): Promise<void> {
    return this.#open.whenZero();
  }

  enqueue(consignment: Consignment): void {
    const key = targetKey(consignment.batch.target);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) {
      lane.push(consignment);
      return;
    }
    const opened = new Lane();
    opened.push(consignment);
    this.#lanes.set(key, opened);
    void this.#run(key, opened);
  }

  /** Gives up everything that is not settled, in order within each target. Requests under way stay open. */
  surrender(): readonly Consignment[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.surrender());
  }

  /** Keeps requests from starting and waits for those under way. Resolves to the function that lets them go on. */
  async hold(): Promise<() => void> {
    while (this.#held !== undefined) await this.#held.whenZero();
    const held = new Tally();
    held.start();
    this.#held = held;
    await this.#open.whenZero();
    this.#open.start();
    return () => {
      this.#held = undefined;
      held.finish();
      this.#open.finish();
    };
  }

  /** Sends what the lane holds, request after request, and then forgets the lane. */
  async #run(key: string, lane: Lane): Promise<void> {
    while (!lane.isIdle) {
      while (this.#held !== undefined) await this.#held.whenZero();
      const group = lane.take(this.#options.maxRowLimit);
      if (group.length === 0) break;
      this.#open.start();
      const attempt = this.#attempt(group);
      for (const consignment of group) consignment.flight = attempt;
      await attempt;
      lane.finish();
      this.#open.finish();
    }
    this.#lanes.delete(key);
  }

  async #attempt(group: readonly Consignment[]): Promise<void> {
    const outcome = await this.#request(group);
    if (outcome.kind === 'stored') {
      await Promise.all(group.map((consignment) => this.#stored(consignment)));
    } else if (outcome.kind === 'failed') {
      this.#deps.onFailure(outcome.reason);
    } else {
      await this.#judgeParts(group, outcome);
    }
  }

  async #request(group: readonly Consignment[]): Promise<Outcome> {
    const [first] = group;
    invariant(first !== undefined, 'a request carries at least one batch');
    const { gzip } = this.#options;
    const bodies = gzip
      ? await Promise.all(group.map(({ batch }) => batch.gzipped()))
      : group.map(({ batch }) => batch.plain());
    const [only] = bodies;
    const payload = only !== undefined && bodies.length === 1 ? only : Buffer.concat(bodies);
    return this.#deps.send({ ...first.batch.target, payload, gzipped: gzip });
  }

  async #stored(consignment: Consignment): Promise<void> {
    if (consignment.record === undefined) {
      this.#deps.onAnswered(consignment);
      consignment.settleAll(STORED);
      return;
    }
    const sequence = await consignment.record.catch(() => undefined);
    if (sequence !== undefined) this.#deps.onLateAnswer(sequence);
  }

  /** Each part gets a request of its own, so that one client's bad line is nobody else's error. */
  async #judgeParts(group: readonly Consignment[], answer: Rejection): Promise<void> {
    const isLone = group.length === 1 && group[0]?.batch.parts.length === 1;
    for (const consignment of group) {
      const verdicts = await this.#judge(consignment, isLone ? answer : undefined);
      // Surrendered meanwhile: replay finds the refused lines and keeps them as dead letters.
      if (consignment.record !== undefined) continue;
      invariant(verdicts !== undefined, 'a failure surrenders its batches');
      this.#deps.onAnswered(consignment);
      consignment.settle(verdicts);
    }
  }

  /** One verdict a part, or undefined when it was surrendered before all were there. */
  async #judge(
    consignment: Consignment,
    answer: Rejection | undefined,
  ): Promise<readonly Verdict[] | undefined> {
    const { target, parts } = consignment.batch;
    const send = (payload: Buffer): Promise<Outcome> =>
      this.#deps.send({ ...target, payload, gzipped: false });
    const verdicts: Verdict[] = [];
    for (const { payload } of parts) {
      if (consignment.record !== undefined) return undefined;
      const outcome = answer ?? (await send(payload));
      const verdict = isRejection(outcome) ? await judge(payload, outcome, send) : outcome;
      if (verdict.kind === 'failed') {
        this.#deps.onFailure(verdict.reason);
        return undefined;
      }
      verdicts.push(verdict);
    }
    return verdicts;
  }
}
