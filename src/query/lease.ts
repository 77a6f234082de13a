import type { Budget } from '../core/budget.ts';
import { StatementFailed } from './failure.ts';

/** What one statement holds of the budget for merging. */
export class Lease {
  readonly #budget: Budget;
  #held = 0;
  #isReleased = false;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Throws StatementFailed when the budget has no room. */
  take(bytes: number): void {
    if (this.#isReleased) return;
    if (!this.#budget.tryTake(bytes)) {
      const { limit } = this.#budget;
      throw new StatementFailed(
        `merging the answers of several servers takes more memory than proxy.maxMergeBytes (${limit})`,
      );
    }
    this.#held += bytes;
  }

  give(bytes: number): void {
    if (this.#isReleased) return;
    this.#budget.give(bytes);
    this.#held -= bytes;
  }

  /** Gives all back; from then on the lease does nothing. */
  release(): void {
    if (!this.#isReleased) this.#budget.give(this.#held);
    this.#isReleased = true;
  }
}
