import type { LineVisitor } from '../lineprotocol/scanner.ts';
import { measurementName } from '../lineprotocol/measurement.ts';
import type { Route } from '../routing/keymap.ts';

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
  /** What is put behind a line without a timestamp: a blank, the digits, a newline. */
  readonly stamp: Buffer;
}

/** UTF-16 units of lines that an error repeats: the body may hold nothing but invalid lines. */
const MAX_REPORTED_LENGTH = 64 * 1024;

/** Bytes of one line that an error repeats. InfluxDB repeats all, and refuses keys above 65,535 bytes. */
const MAX_REPORTED_LINE_BYTES = 1024 * 1024;

/** Names of measurements without a route that are told apart: each may be another one. */
const MAX_UNROUTED_NAMES = 1000;

const NEWLINE = 0x0a;
const LINE_END = Buffer.from('\n');

/** Sorts the lines of one body by route; neighbours of one route are taken as one range, not line by line. */
export class Splitter implements LineVisitor {
  readonly unparsable = new Unparsable();
  readonly unrouted = new Unrouted();
  routed = 0;
  /** Of the routed lines, with the timestamps that they get here. */
  routedBytes = 0;
  readonly #body: Buffer;
  readonly #options: SplitterOptions;
  readonly #collectors = new Map<Route, Collector>();

  constructor(body: Buffer, options: SplitterOptions) {
    this.#body = body;
    this.#options = options;
  }

  /** The routed lines, in the order of the body within each route. */
  *parts(): Iterable<{ route: Route; lines: Lines }> {
    for (const [route, collector] of this.#collectors) {
      for (const lines of collector.finish()) yield { route, lines };
    }
  }

  point(start: number, measurementEnd: number, end: number, timed: boolean): void {
    const name = measurementName(this.#body, start, measurementEnd);
    const route = this.#options.routeOf(name);
    if (route === undefined) {
      this.unrouted.add(name);
      return;
    }
    this.routed += 1;
    this.routedBytes += end - start + (timed ? 1 : this.#options.stamp.length);
    const collector = this.#collectorOf(route);
    if (timed) collector.add(start, end);
    else collector.addStamped(start, end, this.#options.stamp);
  }

  invalid(start: number, end: number, reason: string): void {
    this.unparsable.add(this.#body.subarray(start, end), reason);
  }

  #collectorOf(route: Route): Collector {
    const known = this.#collectors.get(route);
    if (known !== undefined) return known;
    const collector = new Collector(this.#body, this.#options.maxPointsOf(route));
    this.#collectors.set(route, collector);
    return collector;
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

/** Gathers ranges of the body for one route. */
class Collector {
  readonly #body: Buffer;
  readonly #maxPoints: number;
  readonly #full: Lines[] = [];
  #chunks: Buffer[] = [];
  #points = 0;
  // The range that is growing: body[#from, #to), empty when equal. Invariant: whole lines, the last perhaps without
  // its newline when it is the last of the body.
  #from = 0;
  #to = 0;

  constructor(body: Buffer, maxPoints: number) {
    this.#body = body;
    this.#maxPoints = maxPoints;
  }

  add(start: number, end: number): void {
    this.#count();
    if (start !== this.#to) {
      this.#flushRange();
      this.#from = start;
    }
    this.#to = end + 1;
  }

  addStamped(start: number, end: number, stamp: Buffer): void {
    this.#count();
    this.#flushRange();
    this.#chunks.push(this.#body.subarray(start, end), stamp);
  }

  finish(): readonly Lines[] {
    this.#flushPart();
    return this.#full;
  }

  #count(): void {
    if (this.#points === this.#maxPoints) this.#flushPart();
    this.#points += 1;
  }

  #flushPart(): void {
    const isWholeBody =
      this.#chunks.length === 0 && this.#from === 0 && this.#to >= this.#body.length;
    this.#flushRange();
    if (this.#points === 0) return;
    const [only] = this.#chunks;
    const payload =
      only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    this.#full.push({ payload, points: this.#points, isWholeBody });
    this.#chunks = [];
    this.#points = 0;
  }

  #flushRange(): void {
    if (this.#from === this.#to) return;
    const range = this.#body.subarray(this.#from, this.#to);
    this.#chunks.push(range);
    if (range.at(-1) !== NEWLINE) this.#chunks.push(LINE_END);
    this.#from = this.#to;
  }
}
