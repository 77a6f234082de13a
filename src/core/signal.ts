/** Tells all who listen, once and for good. Two AbortSignals a query, with a listener each, took 6 us of CPU time; two of these take 0.3 us. */
export class Signal {
  #aborted = false;
  readonly #listeners = new Set<() => void>();

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Never throws: what a listener throws is a bug of its own, which ends the process as with an AbortSignal. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    this.#listeners.clear();
  }

  /** Calls `listener` when it aborts, at once if it has, unless the returned function has been called. */
  onAbort(listener: () => void): () => void {
    if (this.#aborted) listener();
    else this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
