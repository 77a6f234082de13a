/** Whatever can be told what to undo at its end; a test's context is one. */
export interface Cleanup {
  after(undo: () => void | Promise<void>): void;
}

/** A `Cleanup` for programs that are not tests. Undoes the newest first. */
export class CleanupStack implements Cleanup {
  readonly #undos: (() => void | Promise<void>)[] = [];

  after(undo: () => void | Promise<void>): void {
    this.#undos.push(undo);
  }

  /** Undoes all, also when some of it fails; then throws the first failure. Calling again does nothing. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
