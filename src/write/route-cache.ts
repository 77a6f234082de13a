import type { Route } from '../routing/keymap.ts';

/** A power of two. Two measurements that share a slot take turns in it, which costs time only. */
const SLOTS = 1024;

/** Of a measurement, so that the memory is bounded: names above are looked up anew. */
const MAX_NAME_BYTES = 128;

interface Entry {
  readonly name: Buffer;
  readonly route: Route;
}

/**
 * The routes of measurements seen lately, by the bytes that stand in the line, escapes included: a lookup that makes no
 * string. To be used with one keymap only.
 */
export class RouteCache {
  readonly #entries = new Array<Entry | undefined>(SLOTS);

  /** The route of the measurement body[start, end), if it is known. */
  get(body: Buffer, start: number, end: number): Route | undefined {
    const entry = this.#entries[slotOf(body, start, end)];
    return entry !== undefined && isAt(entry.name, body, start, end) ? entry.route : undefined;
  }

  set(body: Buffer, start: number, end: number, route: Route): void {
    if (end - start > MAX_NAME_BYTES) return;
    const name = Buffer.from(body.subarray(start, end));
    this.#entries[slotOf(body, start, end)] = { name, route };
  }
}

/** FNV-1a. */
function slotOf(body: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (body[at] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function isAt(name: Buffer, body: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  let same = 0;
  while (same < name.length && name[same] === body[start + same]) same++;
  return same === name.length;
}
