import type { Outcome } from '../backend/outcome.ts';
import { joined } from '../core/buffers.ts';
import { invariant } from '../core/errors.ts';
import { Tally } from '../core/tally.ts';
import { joinParts, orderKey, type Part } from './batch.ts';
import { Lane } from './lane.ts';
import { type Failure, isRejection, judge, type Rejection } from './refusals.ts';
import type { Requests } from './requests.ts';
import { type AnyShipment, type BatchShipment, StatementShipment } from './shipment.ts';
import { STORED, type Verdict } from './verdict.ts';

export interface LanesOptions {
  readonly gzip: boolean;
  /** Points in one request. */
  readonly maxRowLimit: number;
}

export interface LanesDeps extends Requests {
  /** It is with the backend, or refused by it: it needs no room in the spill any more. */
  readonly onAnswered: (shipment: AnyShipment) => void;
  /** A success for what was surrendered meanwhile, and is on disk as this record. */
  readonly onLateAnswer: (sequence: number) => void;
  /** A request failed. By the time it returns, what it carried has been surrendered. */
  readonly onFailure: (failure: Failure) => void;
}

/**
 * The live requests to one backend. Batches of one route and rp go one request at a time, in the order in which they
 * came. A statement goes when every batch before it has been answered, and no batch after it goes before it has been.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  // Lanes that have something to send or under way.
  readonly #busy = new Tally();
  // Requests that have no outcome yet, those for surrendered shipments included.
  readonly #open = new Tally();
  // The statement that goes next or is under way.
  #statement: StatementShipment | undefined;
  #isHeld = false;
  // What came after the statement, or since all is held.
  #behind: AnyShipment[] = [];
  readonly #options: LanesOptions;
  readonly #deps: LanesDeps;

  constructor(options: LanesOptions, deps: LanesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0 && this.#statement === undefined && this.#behind.length === 0;
  }

  /** No request is without an outcome. */
  get isQuiet(): boolean {
    return this.#open.count === 0;
  }

  /** Resolves once no request was without an outcome; look again, there may be a new one. */
  whenQuiet(): Promise<void> {
    return this.#open.whenZero();
  }

  enqueue(shipment: AnyShipment): void {
    if (this.#isHeld || this.#statement !== undefined) this.#behind.push(shipment);
    else if (shipment instanceof StatementShipment) void this.#runStatement(shipment);
    else this.#enqueueBatch(shipment);
  }

  /** From now on, what comes waits until it is released or surrendered. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets in what waited, in the order in which it came. */
  release(): void {
    this.#isHeld = false;
    this.#admitBehind();
  }

  /** Gives up everything that is not settled, in order, and holds nothing any more. Requests under way stay open. */
  surrender(): readonly AnyShipment[] {
    const batches = [...this.#lanes.values()].flatMap((lane) => lane.surrender());
    const statement = this.#statement?.isSettled === false ? [this.#statement] : [];
    this.#isHeld = false;
    return [...batches, ...statement, ...this.#behind.splice(0)];
  }

  #admitBehind(): void {
    for (const shipment of this.#behind.splice(0)) this.enqueue(shipment);
  }

  #enqueueBatch(shipment: BatchShipment): void {
    const key = orderKey(shipment.batch.target);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) {
      lane.push(shipment);
      return;
    }
    const opened = new Lane();
    opened.push(shipment);
    this.#lanes.set(key, opened);
    void this.#run(key, opened);
  }

  /** Sends what the lane holds, request after request, and then forgets the lane. */
  async #run(key: string, lane: Lane): Promise<void> {
    this.#busy.start();
    while (!lane.isIdle) {
      const group = lane.take(this.#options.maxRowLimit);
      this.#open.start();
      const attempt = this.#attempt(group);
      for (const shipment of group) shipment.flight = attempt;
      await attempt;
      lane.finish();
      this.#open.finish();
    }
    this.#lanes.delete(key);
    this.#busy.finish();
  }

  async #runStatement(shipment: StatementShipment): Promise<void> {
    this.#statement = shipment;
    await this.#busy.whenZero();
    if (shipment.record === undefined) {
      this.#open.start();
      await this.#executeStatement(shipment);
      this.#open.finish();
    }
    this.#statement = undefined;
    this.#admitBehind();
  }

  async #executeStatement(shipment: StatementShipment): Promise<void> {
    const outcome = await this.#deps.execute(shipment.form);
    if (outcome.kind === 'failed') {
      this.#deps.onFailure(outcome);
    } else if (shipment.record === undefined) {
      this.#deps.onAnswered(shipment);
      shipment.settle(outcome);
    } else if (outcome.kind === 'done') {
      await this.#late(shipment.record);
    }
  }

  async #attempt(group: readonly BatchShipment[]): Promise<void> {
    const outcome = await this.#request(group);
    if (outcome.kind === 'stored') {
      await Promise.all(group.map((shipment) => this.#stored(shipment)));
    } else if (outcome.kind === 'failed') {
      this.#deps.onFailure(outcome);
    } else {
      await this.#judgeParts(group, outcome);
    }
  }

  async #request(group: readonly BatchShipment[]): Promise<Outcome> {
    const [first] = group;
    invariant(first !== undefined, 'a request carries at least one batch');
    const { gzip } = this.#options;
    const bodies = gzip
      ? await Promise.all(group.map(({ batch }) => batch.gzipped()))
      : group.map(({ batch }) => batch.plain());
    const { rp, precision } = first.batch.target;
    return this.#deps.send({ rp, precision, payload: joined(bodies), gzipped: gzip });
  }

  async #stored(shipment: BatchShipment): Promise<void> {
    if (shipment.record !== undefined) {
      await this.#late(shipment.record);
      return;
    }
    this.#deps.onAnswered(shipment);
    shipment.settleAll(STORED);
  }

  async #late(record: Promise<number>): Promise<void> {
    const sequence = await record.catch(() => undefined);
    if (sequence !== undefined) this.#deps.onLateAnswer(sequence);
  }

  /** Part by part, so that one client's bad line is nobody else's error. */
  async #judgeParts(group: readonly BatchShipment[], answer: Rejection): Promise<void> {
    for (const shipment of group) {
      const { parts } = shipment.batch;
      const verdicts =
        group.length === 1
          ? await this.#judge(shipment, parts, answer)
          : await this.#sendAgain(shipment, parts);
      // Surrendered meanwhile: replay finds the refused lines and keeps them as dead letters.
      if (shipment.record !== undefined) continue;
      invariant(verdicts !== undefined, 'a failure surrenders its batches');
      this.#deps.onAnswered(shipment);
      shipment.settle(verdicts);
    }
  }

  /**
   * One verdict a part, or undefined when the shipment was surrendered before all were there. Halves the parts, from the
   * first to the last: what was stored of them is stored once more, and a later point must win over an earlier one.
   */
  async #judge(
    shipment: BatchShipment,
    parts: readonly Part[],
    answer: Rejection,
  ): Promise<readonly Verdict[] | undefined> {
    const [only] = parts;
    if (only !== undefined && parts.length === 1) {
      const verdict = await judge(only.payload, answer, (payload) =>
        this.#sendLines(shipment, payload),
      );
      if (verdict.kind !== 'failed') return [verdict];
      this.#deps.onFailure(verdict);
      return undefined;
    }
    const middle = parts.length >> 1;
    const first = await this.#sendAgain(shipment, parts.slice(0, middle));
    const second = first && (await this.#sendAgain(shipment, parts.slice(middle)));
    return second && [...first, ...second];
  }

  async #sendAgain(
    shipment: BatchShipment,
    parts: readonly Part[],
  ): Promise<readonly Verdict[] | undefined> {
    if (shipment.record !== undefined) return undefined;
    const outcome = await this.#sendLines(shipment, joinParts(parts));
    if (isRejection(outcome)) return this.#judge(shipment, parts, outcome);
    if (outcome.kind === 'stored') return parts.map(() => STORED);
    this.#deps.onFailure(outcome);
    return undefined;
  }

  #sendLines({ batch }: BatchShipment, payload: Buffer): Promise<Outcome> {
    const { rp, precision } = batch.target;
    return this.#deps.send({ rp, precision, payload, gzipped: false });
  }
}
