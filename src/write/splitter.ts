import { NEWLINE } from '../lineprotocol/bytes.ts';
import type { LineVisitor } from '../lineprotocol/line-visitor.ts';
import { measurementName } from '../lineprotocol/measurement.ts';
import type { Route } from '../routing/keymap.ts';
import { MAX_BATCH_BYTES } from './batch.ts';
import type { RouteCache } from './route-cache.ts';

/** Whole lines of one route, each ended by a newline. */
export interface Lines {
  readonly payload: Buffer;
  readonly points: number;
  /** They are the body, to the byte, save that a missing newline at its end was added. */
  readonly isWholeBody: boolean;
}

export interface SplitterOptions {
  readonly routeOf: (measurement: string) => Route | undefined;
  /** Points that one part may hold on a route. */
  readonly maxPointsOf: (route: Route) => number;
  /** What is put behind every line without a timestamp: a blank, the digits, a newline. Called once, if there is one. */
  readonly makeStamp: () => Buffer;
  /** What earlier bodies have shown of `routeOf`. */
  readonly cache: RouteCache;
}

/** UTF-16 units of lines that an error repeats: the body may hold nothing but invalid lines. */
const MAX_REPORTED_LENGTH = 64 * 1024;

/** Bytes of one line that an error repeats. InfluxDB repeats all, and refuses keys above 65,535 bytes. */
const MAX_REPORTED_LINE_BYTES = 1024 * 1024;

/** Names of measurements without a route that are told apart: each may be another one. */
const MAX_UNROUTED_NAMES = 1000;

/** Sorts the lines of one body by route; neighbours of one route are taken as one range, not line by line. */
export class Splitter implements LineVisitor {
  readonly unparsable = new Unparsable();
  readonly unrouted = new Unrouted();
  routed = 0;
  /** Of the routed lines, with the timestamps that they get here. */
  routedBytes = 0;
  readonly #body: Buffer;
  readonly #options: SplitterOptions;
  readonly #cache: RouteCache;
  readonly #collectors = new Map<Route, Collector>();
  #stamp: Buffer | undefined;
  // That of the last line, which most likely gets the next one too.
  #collector: Collector | undefined;

  constructor(body: Buffer, options: SplitterOptions) {
    this.#body = body;
    this.#options = options;
    this.#cache = options.cache;
  }

  /** The routed lines, in the order of the body within each route. */
  *parts(): Iterable<{ route: Route; lines: Lines }> {
    for (const [route, collector] of this.#collectors) {
      for (const lines of collector.finish()) yield { route, lines };
    }
  }

  point(start: number, measurementEnd: number, end: number, timed: boolean): void {
    const route = this.#cache.get(this.#body, start, measurementEnd);
    const collector = this.#collectorOf(route ?? this.#lookUp(start, measurementEnd));
    if (collector === undefined) return;
    this.routed += 1;
    if (timed) {
      this.routedBytes += end + 1 - start;
      collector.add(start, end);
    } else {
      this.#stamp ??= this.#options.makeStamp();
      this.routedBytes += end - start + this.#stamp.length;
      collector.addStamped(start, end, this.#stamp);
    }
  }

  invalid(start: number, end: number, reason: string): void {
    this.unparsable.add(this.#body.subarray(start, end), reason);
  }

  #lookUp(start: number, measurementEnd: number): Route | undefined {
    const name = measurementName(this.#body, start, measurementEnd);
    const route = this.#options.routeOf(name);
    if (route === undefined) this.unrouted.add(name);
    else this.#cache.set(this.#body, start, measurementEnd, route);
    return route;
  }

  #collectorOf(route: Route | undefined): Collector | undefined {
    if (route === undefined || route === this.#collector?.route) return route && this.#collector;
    this.#collector = this.#collectors.get(route);
    if (this.#collector === undefined) {
      const maxPoints = this.#options.maxPointsOf(route);
      this.#collector = new Collector(this.#body, route, maxPoints);
      this.#collectors.set(route, this.#collector);
    }
    return this.#collector;
  }
}

/** The lines that InfluxDB cannot parse. */
export class Unparsable {
  count = 0;
  #texts: string[] = [];
  #length = 0;

  add(line: Buffer, reason: string): void {
    this.count += 1;
    if (this.#length >= MAX_REPORTED_LENGTH) return;
    const text = `unable to parse '${line.toString('utf8', 0, MAX_REPORTED_LINE_BYTES)}': ${reason}`;
    this.#texts.push(text);
    this.#length += text.length;
  }

  /** InfluxDB's words for each of them, the line included, as far as they are not too many. */
  get texts(): readonly string[] {
    const more = this.count - this.#texts.length;
    return more === 0 ? this.#texts : [...this.#texts, `unable to parse ${more} more lines`];
  }
}

/** The points without a route. */
export class Unrouted {
  points = 0;
  /** Their measurements, the first ones when there are very many. */
  readonly measurements = new Set<string>();

  add(measurement: string): void {
    this.points += 1;
    if (this.measurements.size < MAX_UNROUTED_NAMES) this.measurements.add(measurement);
  }
}

/** In the place of a range's start: the stamp. */
const STAMP = -1;

const NO_STAMP = Buffer.alloc(0);

/** Gathers ranges of the body for one route. */
class Collector {
  readonly route: Route;
  readonly #body: Buffer;
  readonly #maxPoints: number;
  readonly #full: Lines[] = [];
  // What the part consists of so far: starts and ends of ranges in turns, whole lines each.
  #ranges: number[] = [];
  #bytes = 0;
  #points = 0;
  // The range that is growing: body[#from, #to), empty when equal. Invariant: whole lines, the last perhaps without
  // its newline when it is the last of the body; #to counts that newline.
  #from = 0;
  #to = 0;
  #stamp: Buffer = NO_STAMP;

  constructor(body: Buffer, route: Route, maxPoints: number) {
    this.route = route;
    this.#body = body;
    this.#maxPoints = maxPoints;
  }

  add(start: number, end: number): void {
    this.#count(end + 1 - start);
    if (start !== this.#to) {
      this.#flushRange();
      this.#from = start;
    }
    this.#to = end + 1;
  }

  /** All get the same stamp. */
  addStamped(start: number, end: number, stamp: Buffer): void {
    this.#stamp = stamp;
    this.#count(end - start + stamp.length);
    this.#flushRange();
    this.#push(start, end);
    this.#push(STAMP, STAMP + stamp.length);
  }

  finish(): readonly Lines[] {
    this.#flushPart();
    return this.#full;
  }

  /** Of the next line. */
  #count(bytes: number): void {
    const sum = this.#bytes + this.#to - this.#from + bytes;
    if (this.#points === this.#maxPoints || sum > MAX_BATCH_BYTES) this.#flushPart();
    this.#points += 1;
  }

  #flushPart(): void {
    this.#flushRange();
    if (this.#points === 0) return;
    const [from = 0, to = 0] = this.#ranges;
    const isRange = this.#ranges.length === 2;
    const payload =
      isRange && to <= this.#body.length ? this.#body.subarray(from, to) : this.#copy();
    const isWholeBody = isRange && from === 0 && to >= this.#body.length;
    this.#full.push({ payload, points: this.#points, isWholeBody });
    this.#ranges = [];
    this.#bytes = 0;
    this.#points = 0;
  }

  #flushRange(): void {
    if (this.#from === this.#to) return;
    this.#push(this.#from, this.#to);
    this.#from = this.#to;
  }

  #push(from: number, to: number): void {
    this.#ranges.push(from, to);
    this.#bytes += to - from;
  }

  #copy(): Buffer {
    const payload = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (let index = 0; index < this.#ranges.length; index += 2) {
      const from = this.#ranges[index] as number;
      const to = this.#ranges[index + 1] as number;
      if (from === STAMP) this.#stamp.copy(payload, at);
      else this.#body.copy(payload, at, from, to);
      at += to - from;
    }
    // A range that counts a newline beyond the body's end can only be the last.
    payload[at - 1] = NEWLINE;
    return payload;
  }
}
