/** Bytes in memory, against a limit. */
export class Budget {
  // Invariant: the sum of what was taken and not given back.
  #used = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  get limit(): number {
    return this.#limit;
  }

  /** False, and nothing is taken, when the limit would be passed. */
  tryTake(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  /** For the follow-up of work that was admitted already; may pass the limit, so that new work is refused instead. */
  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
