import type { BackendConfig, Config } from '../config/schema.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/time.ts';

/** What an operator may ask beside a running proxy, or without one. */
export interface Command {
  readonly group: string;
  readonly name: string;
  readonly summary: string;
  /** Whether it takes the name of one backend. */
  readonly onBackend: boolean;
  readonly options: readonly ('limit' | 'yes')[];
  /** What `--json` writes. */
  readonly json: string;
  /** Resolves with the exit code, 0 or 1. Throws COMMAND_FAILED when there is nothing more to say than why not. */
  readonly run: (request: CommandRequest) => Promise<number>;
}

export interface CommandRequest {
  readonly config: Config;
  readonly dataDir: string;
  /** Those that it is about: all, or the one named. */
  readonly backends: readonly NamedBackend[];
  readonly json: boolean;
  readonly limit: number;
  readonly yes: boolean;
  /** Standard output. Resolves when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NamedBackend {
  readonly name: string;
  readonly config: BackendConfig;
}
