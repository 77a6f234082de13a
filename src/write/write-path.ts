import { gzipSync } from 'node:zlib';
import type { Budget } from '../core/budget.ts';
import type { Clock } from '../core/time.ts';
import { ProxyError } from '../core/errors.ts';
import { NANOSECONDS_PER, type Precision } from '../lineprotocol/precision.ts';
import type { LineScanner } from '../lineprotocol/scanner.ts';
import type { Counters } from '../metrics/counters.ts';
import type { Keymap, Route } from '../routing/keymap.ts';
import { type Admission, type Need, RECORD_OVERHEAD_BYTES } from './admission.ts';
import { shareKey, type Part, type WriteTarget } from './batch.ts';
import { Coalescer } from './coalescer.ts';
import type { Compressor } from './compressor.ts';
import { RouteCache } from './route-cache.ts';
import type { Sender } from './sender.ts';
import { type Lines, Splitter } from './splitter.ts';
import { Suspects } from './suspects.ts';
import { Timestamper } from './timestamper.ts';
import { diverge, type Refusal, type Verdict, type WriteError, writeErrorOf } from './verdict.ts';

export interface WriteRequest {
  /** Tells clients apart, so that one's refused points are not everybody's: an address. */
  readonly client: string;
  readonly rp: string;
  readonly precision: Precision;
  /** The inflated body. Not changed, and not to be changed by the caller, until the answer is there. */
  readonly body: Buffer;
  /** The body as one gzip member, which may go to backends as it is. */
  readonly gzipped?: Buffer | undefined;
}

export interface WritePathDeps {
  readonly scanner: LineScanner;
  readonly keymap: Keymap;
  readonly senders: ReadonlyMap<string, Sender>;
  readonly admission: Admission;
  readonly compressor: Compressor;
  /** Of one request's lines, which timestamps from here make longer. */
  readonly maxBytes: number;
  readonly budget: Budget;
  readonly counters: Counters;
  readonly clock: Clock;
}

const NEWLINE_MEMBER = gzipSync('\n');

const MAX_SCAN_TURN_MS = 20;
const NEVER = new AbortController().signal;

/** One part on its way. */
interface Load {
  readonly route: Route;
  readonly target: WriteTarget;
  readonly part: Part;
}

/** From the body of a request to one answer: scan, route, coalesce, deliver, judge. */
export class WritePath {
  readonly #coalescers = new Map<string, Coalescer>();
  readonly #timestamper: Timestamper;
  readonly #suspects: Suspects;
  readonly #routes = new RouteCache();
  readonly #deps: WritePathDeps;
  readonly #routeOf = (measurement: string): Route | undefined =>
    this.#deps.keymap.routeOf(measurement);
  readonly #maxPointsOf = (route: Route): number =>
    this.#limit(route, ({ maxRowLimit }) => maxRowLimit);

  constructor(deps: WritePathDeps) {
    this.#deps = deps;
    this.#timestamper = new Timestamper(deps.clock);
    this.#suspects = new Suspects(deps.clock);
  }

  /** Write targets of which something is gathered or on its way. */
  get underway(): number {
    return this.#coalescers.size;
  }

  /**
   * Undefined: every point is stored or spilled at every backend of its route that is not detached. Rejects with a
   * ProxyError (503) when a backend has no room to spill or could not; points may be stored elsewhere then, and the client
   * sends them again.
   */
  async write(request: WriteRequest): Promise<WriteError> {
    const { admission, clock } = this.#deps;
    const arrivedAt = clock.now();
    const splitter = this.#splitterOf(request);
    const pieces = this.#deps.scanner.scan(request.body, request.precision, splitter);
    while (this.#scanForOneTurn(pieces, splitter)) await clock.sleep(0, NEVER);
    const loads = this.#loadsOf(splitter, request, arrivedAt);
    const needs = loads.map(needOf);
    // Before anything is sent anywhere.
    if (!admission.tryAdmit(needs)) await admission.admit(needs);
    const delivered = await everyOne(loads.map((load) => this.#deliver(request.client, load)));
    const { unparsable, unrouted, routed } = splitter;
    this.#deps.counters.pointsFailed += unparsable.count + unrouted.points;
    const refusals = delivered.filter((refusal) => refusal !== undefined);
    return writeErrorOf({ unparsable: unparsable.texts, unrouted, routed, refusals });
  }

  #splitterOf({ body, precision }: WriteRequest): Splitter {
    return new Splitter(body, {
      routeOf: this.#routeOf,
      maxPointsOf: this.#maxPointsOf,
      makeStamp: () => {
        const timestamp = this.#timestamper.next() / NANOSECONDS_PER[precision];
        return Buffer.from(` ${timestamp}\n`);
      },
      cache: this.#routes,
    });
  }

  /** True when there is more: a large body is scanned with pauses, in which others have their turn. */
  #scanForOneTurn(pieces: Iterator<number>, splitter: Splitter): boolean {
    const { clock, maxBytes } = this.#deps;
    const started = clock.now();
    while (pieces.next().done !== true) {
      if (splitter.routedBytes > maxBytes) throw tooLarge();
      if (clock.now() - started >= MAX_SCAN_TURN_MS) return true;
    }
    return false;
  }

  #loadsOf(splitter: Splitter, request: WriteRequest, arrivedAt: number): readonly Load[] {
    const { rp, precision, client } = request;
    const suspect = this.#suspects.has(client) ? client : undefined;
    const loads: Load[] = [];
    for (const { route, lines } of splitter.parts()) {
      const target = { routeId: route.id, rp, precision, suspect };
      loads.push({ route, target, part: partOf(lines, request, arrivedAt) });
    }
    return loads;
  }

  /** What the client must be told of the part, if a backend refused it. */
  async #deliver(client: string, load: Load): Promise<Refusal | undefined> {
    const verdicts = await this.#coalescerOf(load).add(load.part);
    const refusal = verdicts.find((verdict) => verdict.kind === 'refused');
    this.#count(load.part, refusal);
    if (refusal === undefined) return undefined;
    this.#suspects.add(client);
    if (diverge(verdicts)) await this.#keepDiverged(load, verdicts);
    return refusal;
  }

  #coalescerOf({ route, target }: Load): Coalescer {
    const key = shareKey(target);
    return this.#coalescers.get(key) ?? this.#openCoalescer(key, route, target);
  }

  #openCoalescer(key: string, route: Route, target: WriteTarget): Coalescer {
    const coalescer = new Coalescer(
      {
        target,
        destinations: this.#sendersOf(route),
        maxPoints: this.#maxPointsOf(route),
        maxWaitMs: this.#limit(route, ({ interval }) => interval),
        compressor: this.#deps.compressor,
        onIdle: () => {
          if (this.#coalescers.get(key) === coalescer) this.#coalescers.delete(key);
        },
      },
      this.#deps.clock,
      this.#deps.budget,
    );
    this.#coalescers.set(key, coalescer);
    return coalescer;
  }

  /** Some replicas stored, or keep for later, what others refused: the refused lines stay on file, as the replicas differ. */
  async #keepDiverged({ route, target }: Load, verdicts: readonly Verdict[]): Promise<void> {
    const senders = this.#sendersOf(route);
    for (const [index, verdict] of verdicts.entries()) {
      if (verdict.kind !== 'refused') continue;
      this.#deps.counters.pointsDiverged += pointsOf(verdict);
      const sender = senders[index];
      await sender?.refusedPoints.keepIfRoom(verdict.lines, { ...target, db: sender.db });
    }
  }

  #count({ points }: Part, refusal: Refusal | undefined): void {
    const { counters } = this.#deps;
    const refused = refusal === undefined ? 0 : pointsOf(refusal);
    counters.pointsFailed += refused;
    counters.points += points - refused;
  }

  #sendersOf(route: Route): readonly Sender[] {
    return route.backends.map((name) => {
      const sender = this.#deps.senders.get(name);
      if (sender === undefined) throw new Error(`BUG: no sender for backend ${name}`);
      return sender;
    });
  }

  /** Where a batch spans backends with different limits, the smaller one holds. */
  #limit(route: Route, limitOf: (sender: Sender) => number): number {
    return Math.min(...this.#sendersOf(route).map(limitOf));
  }
}

function partOf(lines: Lines, request: WriteRequest, arrivedAt: number): Part {
  const { payload, points } = lines;
  const reservedBytes = payload.length + RECORD_OVERHEAD_BYTES;
  return { payload, points, arrivedAt, reservedBytes, gzipped: gzippedOf(lines, request) };
}

/** The client's own gzip member, if the lines are all of it. */
function gzippedOf({ isWholeBody, payload }: Lines, { body, gzipped }: WriteRequest) {
  // Others may have compressed it badly: it must not need more room than is reserved.
  if (!isWholeBody || gzipped === undefined || gzipped.length > payload.length) return undefined;
  const isEnded = payload.length === body.length;
  return Promise.resolve(isEnded ? gzipped : Buffer.concat([gzipped, NEWLINE_MEMBER]));
}

function tooLarge(): ProxyError {
  return new ProxyError('BODY_TOO_LARGE', 'Request Entity Too Large');
}

function needOf({ route, part }: Load): Need {
  return { backends: route.backends, bytes: part.reservedBytes };
}

/** As `Promise.all`, but a rejection waits for the others: a client that is answered has nothing left in here. */
async function everyOne<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

function pointsOf(refusal: Refusal): number {
  return refusal.lines.reduce((sum, { points }) => sum + points, 0);
}
