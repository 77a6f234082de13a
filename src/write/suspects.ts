import type { Clock } from '../core/time.ts';

/** How long a client is kept apart after its last refused points. */
const SUSPICION_MS = 60_000;

/** More clients than this are not told apart: the oldest suspicion is forgotten. */
const MAX_SUSPECTS = 10_000;

/**
 * Clients whose points a backend has refused lately. What they send shares no request with others, and the search for the
 * line at fault is cut short: one that goes on sending refused points must not slow the others.
 */
export class Suspects {
  // Oldest suspicion first: client to clock milliseconds.
  readonly #since = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(client: string): void {
    this.#since.delete(client);
    this.#since.set(client, this.#clock.now());
    if (this.#since.size <= MAX_SUSPECTS) return;
    const [oldest] = this.#since.keys();
    if (oldest !== undefined) this.#since.delete(oldest);
  }

  has(client: string): boolean {
    const since = this.#since.get(client);
    if (since === undefined) return false;
    if (this.#clock.now() - since < SUSPICION_MS) return true;
    this.#since.delete(client);
    return false;
  }
}
