import { gzipSync } from 'node:zlib';
import type { Budget } from '../core/budget.ts';
import type { Clock } from '../core/time.ts';
import { ProxyError } from '../core/errors.ts';
import { NANOSECONDS_PER, type Precision } from '../lineprotocol/precision.ts';
import { LineScanner } from '../lineprotocol/scanner.ts';
import type { Counters } from '../metrics/counters.ts';
import type { Keymap, Route } from '../routing/keymap.ts';
import type { Admission } from './admission.ts';
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

/** Compressed lines are shorter than lines; this is for the record's header and for lines that do not compress. */
const RECORD_OVERHEAD_BYTES = 1024;

const NEWLINE_MEMBER = gzipSync('\n');

const MAX_SCAN_TURN_MS = 20;
const NEVER = new AbortController().signal;

interface Load {
  readonly route: Route;
  readonly part: Part;
}

/** From the body of a request to one answer: scan, route, coalesce, deliver, judge. */
export class WritePath {
  readonly #coalescers = new Map<string, Coalescer>();
  readonly #timestamper: Timestamper;
  readonly #suspects: Suspects;
  readonly #scanner = new LineScanner();
  readonly #routes = new RouteCache();
  readonly #deps: WritePathDeps;

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
    const arrivedAt = this.#deps.clock.now();
    const splitter = await this.#split(request);
    const loads = [...splitter.parts()].map(({ route, lines }) => ({
      route,
      part: partOf(lines, request, arrivedAt),
    }));
    // Before anything is sent anywhere.
    await this.#deps.admission.admit(
      loads.map(({ route, part }) => ({ backends: route.backends, bytes: part.reservedBytes })),
    );
    const delivered = await everyOne(loads.map((load) => this.#deliver(request, load)));
    this.#count(splitter, loads, delivered);
    const refusals = delivered.filter((refusal) => refusal !== undefined);
    const { unparsable, unrouted, routed } = splitter;
    return writeErrorOf({ unparsable: unparsable.texts, unrouted, routed, refusals });
  }

  /** A large body is scanned with pauses, in which others have their turn. */
  async #split({ body, precision }: WriteRequest): Promise<Splitter> {
    const { clock, maxBytes } = this.#deps;
    const timestamp = this.#timestamper.next() / NANOSECONDS_PER[precision];
    const splitter = new Splitter(body, {
      routeOf: (measurement) => this.#deps.keymap.routeOf(measurement),
      maxPointsOf: (route) => this.#limit(route, ({ maxRowLimit }) => maxRowLimit),
      stamp: Buffer.from(` ${timestamp}\n`),
      cache: this.#routes,
    });
    let turnStarted = clock.now();
    for (const next of this.#scanner.scan(body, precision, splitter)) {
      if (splitter.routedBytes > maxBytes) throw tooLarge();
      if (next >= body.length || clock.now() - turnStarted < MAX_SCAN_TURN_MS) continue;
      await clock.sleep(0, NEVER);
      turnStarted = clock.now();
    }
    return splitter;
  }

  /** What the client must be told of the part, if a backend refused it. */
  async #deliver(request: WriteRequest, { route, part }: Load): Promise<Refusal | undefined> {
    const { rp, precision, client } = request;
    const suspect = this.#suspects.has(client) && { suspect: client };
    const target = { routeId: route.id, rp, precision, ...suspect };
    const verdicts = await this.#add(route, target, part);
    const refusal = verdicts.find((verdict) => verdict.kind === 'refused');
    if (refusal === undefined) return undefined;
    this.#suspects.add(client);
    if (diverge(verdicts)) {
      await this.#keepDiverged(route, target, verdicts);
    }
    return refusal;
  }

  #add(route: Route, target: WriteTarget, part: Part): Promise<readonly Verdict[]> {
    const key = shareKey(target);
    const coalescer = this.#coalescers.get(key) ?? this.#openCoalescer(key, route, target);
    const verdicts = coalescer.add(part);
    const forgetIdle = (): void => {
      if (coalescer.isIdle && this.#coalescers.get(key) === coalescer) this.#coalescers.delete(key);
    };
    verdicts.then(forgetIdle, forgetIdle);
    return verdicts;
  }

  #openCoalescer(key: string, route: Route, target: WriteTarget): Coalescer {
    const coalescer = new Coalescer(
      {
        target,
        destinations: this.#sendersOf(route),
        maxPoints: this.#limit(route, ({ maxRowLimit }) => maxRowLimit),
        maxWaitMs: this.#limit(route, ({ interval }) => interval),
        compressor: this.#deps.compressor,
      },
      this.#deps.clock,
      this.#deps.budget,
    );
    this.#coalescers.set(key, coalescer);
    return coalescer;
  }

  /** Some replicas stored, or keep for later, what others refused: the refused lines stay on file, as the replicas differ. */
  async #keepDiverged(
    route: Route,
    target: WriteTarget,
    verdicts: readonly Verdict[],
  ): Promise<void> {
    const senders = this.#sendersOf(route);
    for (const [index, verdict] of verdicts.entries()) {
      if (verdict.kind !== 'refused') continue;
      this.#deps.counters.pointsDiverged += pointsOf(verdict);
      await senders[index]?.bury(target, verdict.lines);
    }
  }

  #count(
    splitter: Splitter,
    loads: readonly Load[],
    delivered: readonly (Refusal | undefined)[],
  ): void {
    const { counters } = this.#deps;
    counters.pointsFailed += splitter.unparsable.count + splitter.unrouted.points;
    for (const [index, { part }] of loads.entries()) {
      const refusal = delivered[index];
      const refused = refusal === undefined ? 0 : pointsOf(refusal);
      counters.pointsFailed += refused;
      counters.points += part.points - refused;
    }
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
  return payload.length === body.length ? gzipped : Buffer.concat([gzipped, NEWLINE_MEMBER]);
}

function tooLarge(): ProxyError {
  return new ProxyError('BODY_TOO_LARGE', 'Request Entity Too Large');
}

/** As `Promise.all`, but a rejection waits for the others: a client that is answered has nothing left in here. */
async function everyOne<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function pointsOf(refusal: Refusal): number {
  return refusal.lines.reduce((sum, { points }) => sum + points, 0);
}
