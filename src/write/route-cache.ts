import type { Route } from '../routing/keymap.ts';

/** A power of two. */
const SLOTS = 32 * 1024;

/** So that a search meets a free slot soon. */
const MAX_NAMES = SLOTS / 2;

/** Slots that a search looks at: a client could choose its names so that all of them meet in one. */
const MAX_SEARCH = 64;

const MAX_TOTAL_BYTES = 1024 * 1024;

/** Longer names are looked up anew each time, and so are those that find no slot. */
const MAX_NAME_BYTES = 1024;

const FREE = -1;

/**
 * The routes of measurements seen lately, by the bytes that stand in the line, escapes included: a lookup that makes no
 * string. When it is full it begins anew, which costs time only. To be used with one keymap only.
 */
export class RouteCache {
  /** By slot; a name is in the first slot from its hash on that was free when it came. */
  readonly #starts = new Int32Array(SLOTS).fill(FREE);
  readonly #lengths = new Int32Array(SLOTS);
  readonly #routes = new Array<Route | undefined>(SLOTS);
  // The names, one behind the other. Pages that were never written take no memory.
  readonly #names = Buffer.allocUnsafeSlow(MAX_TOTAL_BYTES);
  #used = 0;
  #count = 0;

  /** The route of the measurement body[start, end), if it is known. */
  get(body: Buffer, start: number, end: number): Route | undefined {
    const slot = this.#slotOf(body, start, end);
    return slot === undefined ? undefined : this.#routes[slot];
  }

  set(body: Buffer, start: number, end: number, route: Route): void {
    const length = end - start;
    if (length > MAX_NAME_BYTES) return;
    if (this.#count === MAX_NAMES || this.#used + length > MAX_TOTAL_BYTES) this.#clear();
    const slot = this.#slotOf(body, start, end);
    if (slot === undefined) return;
    this.#routes[slot] = route;
    if (this.#starts[slot] !== FREE) return;
    this.#starts[slot] = this.#used;
    this.#lengths[slot] = length;
    this.#used += body.copy(this.#names, this.#used, start, end);
    this.#count += 1;
  }

  /** Where the name is, or the free slot where it would be; undefined: neither is near. */
  #slotOf(body: Buffer, start: number, end: number): number | undefined {
    const first = hashOf(body, start, end) & (SLOTS - 1);
    for (let at = first; at < first + MAX_SEARCH; at++) {
      const slot = at & (SLOTS - 1);
      if (this.#starts[slot] === FREE || this.#isAt(slot, body, start, end)) return slot;
    }
    return undefined;
  }

  #isAt(slot: number, body: Buffer, start: number, end: number): boolean {
    const length = end - start;
    if (this.#lengths[slot] !== length) return false;
    const names = this.#names;
    const name = this.#starts[slot] as number;
    let same = 0;
    while (same < length && names[name + same] === body[start + same]) same++;
    return same === length;
  }

  #clear(): void {
    this.#starts.fill(FREE);
    this.#routes.fill(undefined);
    this.#used = 0;
    this.#count = 0;
  }
}

/** FNV-1a. */
function hashOf(body: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (body[at] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}
