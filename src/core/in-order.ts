/** Starts actions in the order in which they were asked for, however long each one's preparation takes. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** Actions that have not started yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Calls `action` when `prepared` is there and every earlier action has started; does not wait for their ends. */
  async run<T, R>(prepared: Promise<T>, action: (value: T) => Promise<R>): Promise<R> {
    this.#pending += 1;
    const previous = this.#last;
    // Wrapped in an object, because awaiting a promise of a promise would wait for the action's end.
    const start = async (): Promise<{ result: Promise<R> }> => {
      try {
        await previous.catch(() => undefined);
        const value = await prepared;
        return { result: action(value) };
      } finally {
        this.#pending -= 1;
      }
    };
    const started = start();
    this.#last = started;
    return (await started).result;
  }
}
