import { messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { Signal } from '../core/signal.ts';
import type { CancelTimer, Clock } from '../core/time.ts';
import type { DetachedMarker, DetachedState } from '../spill/detached-marker.ts';

/** A slice of a backend's configuration. */
export interface DetachmentOptions {
  readonly name: string;
  readonly onSpillFull: 'detach' | 'reject';
  readonly writeOnly: boolean;
}

export interface DetachmentDeps {
  readonly marker: DetachedMarker;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often the count of missed points is saved while it grows. */
const SAVE_INTERVAL_MS = 10_000;

/** How often it is logged that the disk does not let a backend be detached: each write may try. */
const COMPLAINT_INTERVAL_MS = 60_000;

/**
 * Whether one backend is given up: its spill overflowed, so it misses points for good. That is on disk before any write is
 * acknowledged without the backend, and it is for ever as far as this process is concerned: only an operator who has
 * copied what is missing may end it.
 */
export class Detachment {
  readonly #options: DetachmentOptions;
  readonly #deps: DetachmentDeps;
  // Attached: undefined. What is on disk may lag behind in `missedPoints` only.
  #state: DetachedState | undefined;
  // The marker is being written, or may be on disk although writing and removing it have failed.
  #isInDoubt = false;
  #detaching: Promise<void> | undefined;
  #complainedAt = -Infinity;
  readonly #detached = new Signal();
  #cancelSave: CancelTimer | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(
    options: DetachmentOptions,
    deps: DetachmentDeps,
    state: DetachedState | undefined,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#state = state;
    if (state === undefined) return;
    this.#detached.abort();
    this.#deps.log.error({ backend: options.name, ...state }, 'backend is detached');
  }

  static async open(options: DetachmentOptions, deps: DetachmentDeps): Promise<Detachment> {
    try {
      return new Detachment(options, deps, await deps.marker.read());
    } catch (error) {
      const message = `cannot tell whether ${options.name} is detached: ${messageOf(error)}`;
      throw new ProxyError('SPILL_FAILED', message, { cause: error });
    }
  }

  get isDetached(): boolean {
    return this.#state !== undefined;
  }

  /** Aborted: it is detached. */
  get signal(): Signal {
    return this.#detached;
  }

  /** The operator prefers to lose this replica to refusing writes. */
  get isAllowed(): boolean {
    return this.#options.onSpillFull === 'detach';
  }

  /** It has, or has in its spill, every acknowledged point: others may be given up as long as it is there. */
  get isHolder(): boolean {
    return !this.isDetached && !this.#isInDoubt && !this.#options.writeOnly;
  }

  /** For people; undefined when it is not detached. */
  get state(): DetachedState | undefined {
    return this.#state;
  }

  /** Gives the backend up. Resolves when that survives a power cut; rejects when the disk would not, then it is not given up. */
  detach(reason: string): Promise<void> {
    if (this.isDetached) return Promise.resolve();
    this.#isInDoubt = true;
    this.#detaching ??= this.#detach(reason).finally(() => {
      this.#detaching = undefined;
    });
    return this.#detaching;
  }

  /** Counts points that went to the other backends only. */
  miss(points: number): void {
    if (this.#state === undefined) throw new Error('BUG: an attached backend misses nothing');
    const { missedPoints } = this.#state;
    this.#state = { ...this.#state, missedPoints: missedPoints + points };
    if (this.#isClosed) return;
    this.#cancelSave ??= this.#deps.clock.after(SAVE_INTERVAL_MS, () => {
      this.#save();
    });
  }

  /** Saves what was counted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#cancelSave !== undefined) this.#save();
    await this.#saving;
  }

  async #detach(reason: string): Promise<void> {
    const { name: backend } = this.#options;
    const { clock, log, marker } = this.#deps;
    const since = new Date(clock.now()).toISOString();
    const state = { since, reason, missedPoints: 0 };
    try {
      await marker.write(state);
    } catch (error) {
      await this.#withdraw();
      if (clock.now() - this.#complainedAt >= COMPLAINT_INTERVAL_MS) {
        this.#complainedAt = clock.now();
        log.error({ err: error, backend }, 'cannot detach a backend');
      }
      const message = `cannot detach ${backend}: ${messageOf(error)}`;
      throw new ProxyError('SPILL_FAILED', message, { cause: error });
    }
    this.#state = state;
    log.error({ backend, ...state }, 'backend is detached');
    this.#detached.abort();
  }

  /** Nothing was acknowledged without the backend. If the file cannot be removed, the next process may find it. */
  async #withdraw(): Promise<void> {
    try {
      await this.#deps.marker.remove();
      this.#isInDoubt = false;
    } catch {
      // Still in doubt: nobody else is given up because of this one.
    }
  }

  #save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    this.#saving = this.#saving.then(() => this.#write());
  }

  async #write(): Promise<void> {
    if (this.#state === undefined) return;
    const { name: backend } = this.#options;
    try {
      await this.#deps.marker.write(this.#state);
    } catch (error) {
      this.#deps.log.warn({ err: error, backend }, 'cannot save the count of missed points');
    }
  }
}
