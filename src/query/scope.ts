import type { Signal } from '../core/signal.ts';
import type { Inquiry } from './executor.ts';
import type { Lease } from './lease.ts';
import { pick } from './parameters.ts';
import type { Subject } from './question.ts';
import type { Replica } from './replica.ts';
import type { Route } from '../routing/keymap.ts';

/** Passed on with the client's own statements. */
const CLIENTS_PARAMETERS = ['rp', 'epoch', 'params', 'time_format'];
/** Passed on with questions that the proxy asks to prepare one: what gives their texts a meaning. */
const OWN_PARAMETERS = ['rp', 'params'];

/** Most answers are whole by then. A client that wants pieces gets the first one as soon as it is there. */
const HELD_BYTES = 64 * 1024;

export interface ScopeOptions {
  readonly subject: Subject;
  /** Of the request, decoded. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Rows of a piece, when the client wants pieces. */
  readonly pieceRows: number | undefined;
  /** What the client calls the database; empty: nothing. */
  readonly db: string;
  readonly signal: Signal;
  readonly lease: Lease;
  /** Is told the name of each backend that answers. */
  readonly onAnswer: (backend: string) => void;
}

type TextFor = (db: string, routes: ReadonlySet<Route>) => string;

/** What is asked on behalf of one statement of one request. */
export class Scope {
  readonly #options: ScopeOptions;

  constructor(options: ScopeOptions) {
    this.#options = options;
  }

  get subject(): Subject {
    return this.#options.subject;
  }

  get pieceRows(): number | undefined {
    return this.#options.pieceRows;
  }

  /** The client's statement, or a part of it, whose answer becomes the client's. `hides`: see Question. */
  clients(textFor: TextFor, hidesMissingDatabase = false): Inquiry {
    const { pieceRows } = this.#options;
    const size: [string, string][] =
      pieceRows === undefined ? [] : [['chunk_size', String(pieceRows)]];
    return this.#inquiry(
      [...pick(this.#options.parameters, CLIENTS_PARAMETERS), ...size],
      textFor,
      hidesMissingDatabase,
    );
  }

  /** A question whose answer the client does not see. */
  own(textFor: TextFor, hidesMissingDatabase = false): Inquiry {
    return this.#inquiry(
      pick(this.#options.parameters, OWN_PARAMETERS),
      textFor,
      hidesMissingDatabase,
    );
  }

  /** What the client calls a database whose name on a server is `db`. */
  shownDb(db = ''): string {
    return this.#options.db === '' ? db : this.#options.db;
  }

  answered({ name }: Replica): void {
    this.#options.onAnswer(name);
  }

  #inquiry(
    passed: readonly [string, string][],
    textFor: TextFor,
    hidesMissingDatabase: boolean,
  ): Inquiry {
    const { signal, lease, pieceRows } = this.#options;
    return {
      lease,
      heldBytes: pieceRows === undefined ? HELD_BYTES : 1,
      questionFor: ({ db }, routes) => {
        const q = textFor(db, routes);
        // Chunked answers are not cut at the server's max-row-limit, and can be read piece by piece.
        const form = [...passed, ['chunked', 'true'], ['q', q]] as const;
        return { form, headers: {}, signal, hidesMissingDatabase };
      },
    };
  }
}
