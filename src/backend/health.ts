import type { Log } from '../core/log.ts';
import { messageOf } from '../core/errors.ts';
import { Signal } from '../core/signal.ts';
import type { Clock } from '../core/time.ts';

/** Failures in a row, probes and writes together, that make a server down; one lost packet must not. */
const FALL = 3;
/** Probes in a row that make it up again: a server that is just opening its port may still be loading. */
const RISE = 2;
/** A probe may take longer than the pause between probes: a busy server answers `/ping` late, a hung one never. */
const MIN_PROBE_MS = 2000;

export interface HealthOptions {
  readonly name: string;
  readonly checkInterval: number;
  /** Resolves with the server's version, or rejects. */
  readonly probe: (timeoutMs: number) => Promise<string>;
}

/**
 * Whether one backend can be reached: an active probe every `checkInterval`, plus the failures that requests meet.
 * Until the first probe has answered nothing is known, and `isDown` is false: a write may try.
 */
export class Health {
  #state: 'unknown' | 'up' | 'down' = 'unknown';
  #failures = 0;
  #successes = 0;
  #version: string | undefined;
  #recovered = new AbortController();
  #down = new Signal();
  readonly #stop = new AbortController();
  readonly #options: HealthOptions;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(options: HealthOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isDown(): boolean {
    return this.#state === 'down';
  }

  /** Aborts when the server goes down; while it is down, the signal has aborted. */
  get downSignal(): Signal {
    return this.#down;
  }

  /** The last version that the server named. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Probes until `close`. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#check();
      await this.#clock.sleep(this.#options.checkInterval, this.#stop.signal);
    }
  }

  /** A request got no usable answer, or a 5xx. */
  failed(reason: string): void {
    this.#successes = 0;
    this.#failures += 1;
    if (this.#state === 'unknown' || (this.#state === 'up' && this.#failures >= FALL)) {
      this.#state = 'down';
      this.#recovered = new AbortController();
      this.#down.abort();
      this.#log.warn({ backend: this.#options.name, reason }, 'backend is down');
    }
  }

  /** A request was answered: the failures before it were not an outage. Only probes bring a down server up. */
  answered(): void {
    this.#failures = 0;
  }

  /** Resolves when the server is up, at most after `ms`, or when `signal` aborts. */
  async whenUp(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.isDown) return;
    await this.#clock.sleep(ms, AbortSignal.any([signal, this.#recovered.signal]));
  }

  close(): void {
    this.#stop.abort();
  }

  async #check(): Promise<void> {
    try {
      this.#version = await this.#options.probe(
        Math.max(this.#options.checkInterval, MIN_PROBE_MS),
      );
      this.#succeeded();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.failed(messageOf(error));
    }
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#successes += 1;
    if (this.#state === 'up' || (this.#state === 'down' && this.#successes < RISE)) return;
    this.#state = 'up';
    this.#recovered.abort();
    this.#down = new Signal();
    this.#log.info({ backend: this.#options.name, version: this.#version }, 'backend is up');
  }
}
