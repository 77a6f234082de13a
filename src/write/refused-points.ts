import { ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';
import type { DeadLetter } from '../spill/dead-letter.ts';
import { type DeadPointContext, deadPointsOf } from './dead-points.ts';
import type { RefusedLines } from './verdict.ts';

export interface RefusedPointsDeps {
  readonly deadLetter: DeadLetter;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the lines were to go. */
type Target = Omit<DeadPointContext, 'timeMs'>;

/** Files what one backend has refused, line by line, with its words, for an operator. */
export class RefusedPoints {
  readonly #backend: string;
  readonly #deps: RefusedPointsDeps;

  constructor(backend: string, deps: RefusedPointsDeps) {
    this.#backend = backend;
    this.#deps = deps;
  }

  /** Returns their number. Rejects as DeadLetter.append does. */
  async keep(refused: readonly RefusedLines[], { db, rp, precision }: Target): Promise<number> {
    const context = { db, rp, precision, timeMs: this.#deps.clock.now() };
    const points = refused.flatMap((lines) => deadPointsOf(lines, context));
    if (points.length > 0) await this.#deps.deadLetter.append(points);
    return points.length;
  }

  /**
   * For lines that another backend has stored. If there is no room for more, the client's answer is the only one that tells
   * of them: it is no reason to have the client repeat them for ever.
   */
  async keepIfRoom(refused: readonly RefusedLines[], target: Target): Promise<void> {
    try {
      await this.keep(refused, target);
    } catch (error) {
      if (!(error instanceof ProxyError) || error.code !== 'SPILL_FULL') throw error;
      const points = refused.reduce((sum, lines) => sum + lines.points, 0);
      const said = { backend: this.#backend, points, reason: error.message };
      this.#deps.log.error(said, 'refused points not kept');
    }
  }
}
