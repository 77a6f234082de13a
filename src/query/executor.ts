import { codeOf, messageOf, ProxyError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { errorTextOf } from '../backend/outcome.ts';
import type { QueryAnswer } from '../backend/query-in-flight.ts';
import type { Route } from '../routing/keymap.ts';
import { type Item, type Piece, readItems } from './answer-reader.ts';
import { type Asker, bodyText, type Question } from './asker.ts';
import { withBeginning } from './beginning.ts';
import { coverOf } from './cover.ts';
import { ClientGone, QueryRejected, StatementFailed } from './failure.ts';
import type { Lease } from './lease.ts';
import { readOrder, type Replica } from './replica.ts';

export interface ExecutorDeps {
  readonly asker: Asker;
  readonly replicasOf: (backends: readonly string[]) => readonly Replica[];
  readonly zone: string;
  readonly log: Log;
}

/** What a replica is asked about the routes that it is to answer for. */
export type QuestionFor = (replica: Replica, routes: ReadonlySet<Route>) => Question;

/** A question whose answer is read here. */
export interface Inquiry {
  readonly questionFor: QuestionFor;
  readonly lease: Lease;
  /** Bytes of an answer that are held back until they are all there, or it is whole: so long another replica can take over. */
  readonly heldBytes: number;
}

/** What the first replica gave that gave anything. */
interface First<T> {
  readonly replica: Replica;
  readonly result: T;
}

/** The answer of one replica for its routes. */
export interface Part {
  readonly replica: Replica;
  readonly routes: ReadonlySet<Route>;
  readonly items: AsyncGenerator<Item, void, undefined>;
}

export interface GatheredPart {
  readonly replica: Replica;
  readonly routes: ReadonlySet<Route>;
  readonly pieces: readonly Piece[];
}

const NO_ROUTES: ReadonlySet<Route> = new Set();

/** Has questions answered by replicas that have everything, and by others when those fail. */
export class Executor {
  readonly #deps: ExecutorDeps;

  constructor(deps: ExecutorDeps) {
    this.#deps = deps;
  }

  /** The backends in read order. */
  orderOf(backends: readonly string[]): readonly Replica[] {
    const { asker, replicasOf, zone } = this.#deps;
    return readOrder(replicasOf(backends), zone, (one) => asker.busyOf(one));
  }

  /**
   * The answer of the first of these replicas that gives one, as it comes: each failure before the first byte of the body
   * moves on to the next. Rejects with REPLICAS_UNAVAILABLE when none does, or with ClientGone.
   */
  read(order: readonly Replica[], questionFor: QuestionFor): Promise<First<QueryAnswer>> {
    const { asker } = this.#deps;
    return this.#first(order, (replica) => asker.ask(replica, questionFor(replica, NO_ROUTES)));
  }

  /** The same, read item by item. */
  async readItems(order: readonly Replica[], inquiry: Inquiry): Promise<Part> {
    const { result } = await this.#first(order, (one) => this.#open(one, NO_ROUTES, inquiry));
    return namingBreaks(result);
  }

  /**
   * Divides the routes among replicas, which answer at the same time; what a failing one should have answered for is
   * divided anew among the others, as long as its answer is held back. Rejects with REPLICAS_UNAVAILABLE when a route has
   * no replica left.
   */
  open(routes: readonly Route[], inquiry: Inquiry): Promise<readonly Part[]> {
    return this.#share(routes, async (replica, covered) =>
      namingBreaks(await this.#open(replica, covered, inquiry)),
    );
  }

  /** The same, with the answers read to their ends and held: for small ones. */
  gather(routes: readonly Route[], inquiry: Inquiry): Promise<readonly GatheredPart[]> {
    return this.#share(routes, async (replica, covered) => {
      const { items } = await this.#open(replica, covered, inquiry);
      const pieces: Piece[] = [];
      for await (const item of items) {
        if (item.kind !== 'piece') continue;
        inquiry.lease.take(item.rows.length);
        pieces.push(item);
      }
      return { replica, routes: covered, pieces };
    });
  }

  async #first<T>(
    order: readonly Replica[],
    ask: (replica: Replica) => Promise<T>,
  ): Promise<First<T>> {
    const failures: string[] = [];
    for (const replica of order) {
      try {
        return { replica, result: await ask(replica) };
      } catch (error) {
        failures.push(this.#failureOf(replica, error));
      }
    }
    throw unavailable(failures);
  }

  async #share<T>(
    routes: readonly Route[],
    ask: (replica: Replica, routes: ReadonlySet<Route>) => Promise<T>,
  ): Promise<readonly T[]> {
    const failed = new Set<Replica>();
    const failures: string[] = [];
    const cover = async (missing: readonly Route[]): Promise<readonly T[]> => {
      const order = ({ backends }: Route): readonly Replica[] =>
        this.orderOf(backends).filter((replica) => !failed.has(replica));
      const shares = coverOf(missing, order, this.#deps.zone);
      const covered = shares.reduce((count, share) => count + share.routes.size, 0);
      if (covered < missing.length) throw unavailable(failures);
      const parts = await Promise.all(
        shares.map(async (share) => {
          try {
            return [await ask(share.replica, share.routes)];
          } catch (error) {
            failures.push(this.#failureOf(share.replica, error));
            failed.add(share.replica);
            return cover([...share.routes]);
          }
        }),
      );
      return parts.flat();
    };
    return cover(routes);
  }

  async #open(
    replica: Replica,
    routes: ReadonlySet<Route>,
    { questionFor, lease, heldBytes }: Inquiry,
  ): Promise<Part> {
    const { status, body } = await this.#deps.asker.ask(replica, questionFor(replica, routes));
    if (status !== 200) throw new QueryRejected(status, errorTextOf(await bodyText(body)));
    const items = readItems(Buffer.isBuffer(body) ? [body] : body, lease);
    return { replica, routes, items: await withBeginning(items, lease, heldBytes) };
  }

  /** What to tell of a replica that failed. Throws what no other replica would change. */
  #failureOf(replica: Replica, error: unknown): string {
    if (isFinal(error)) throw error;
    const reason = codeOf(error) ?? messageOf(error);
    this.#deps.log.warn({ backend: replica.name, reason }, 'query failed over');
    return `${replica.name}: ${reason}`;
  }
}

/** It is about the query, or nobody waits for the answer. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof ClientGone ||
    error instanceof QueryRejected ||
    error instanceof StatementFailed
  );
}

/** Behind its beginning an answer that breaks off fails the statement: what came of it may be on its way to the client. */
function namingBreaks({ replica, routes, items }: Part): Part {
  const named = async function* (): AsyncGenerator<Item, void, undefined> {
    try {
      yield* items;
    } catch (error) {
      if (isFinal(error)) throw error;
      const reason = codeOf(error) ?? messageOf(error);
      throw new StatementFailed(`the answer of ${replica.name} broke off: ${reason}`);
    }
  };
  return { replica, routes, items: named() };
}

function unavailable(failures: readonly string[]): ProxyError {
  const why = failures.length === 0 ? 'none may be read from' : failures.join('; ');
  return new ProxyError('REPLICAS_UNAVAILABLE', `no replica can answer the query: ${why}`);
}
