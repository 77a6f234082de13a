import { ProxyError } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';
import { freezeNow } from '../influxql/edit.ts';
import type { Source } from '../influxql/statement.ts';
import type { Route } from '../routing/keymap.ts';
import type { Item } from './answer-reader.ts';
import type { Executor, Inquiry } from './executor.ts';
import { StatementFailed } from './failure.ts';
import { mergeByName } from './merge/by-name.ts';
import { continuousQueriesOf, planShowing, policiesOf } from './merge/databases.ts';
import { messagesOf, newAside, type OwnedAnswer, ownedPieces, ownedRuns } from './merge/parts.ts';
import {
  type Heading,
  nameOfKeyRow,
  nameOfMeasurementRow,
  type NameOfRow,
  piecesOf,
  RowWindow,
} from './merge/rows.ts';
import { hidesMissingDatabase, isEstimated } from './merge-rules.ts';
import { intersection, type ReadStep } from './planner.ts';
import {
  countedText,
  matchingText,
  measurementsText,
  type Selection,
  seriesText,
  statementText,
  unlimited,
} from './question.ts';
import { itemsOf, textOf } from './raw-json.ts';
import type { Replica } from './replica.ts';
import type { Scope } from './scope.ts';
import { mergeSelect } from './select-merge.ts';

export interface StatementReaderDeps {
  readonly executor: Executor;
  readonly routeOf: (measurement: string) => Route | undefined;
  /** All of the keymap. */
  readonly routes: readonly Route[];
  readonly clock: Clock;
}

/** Rows of a piece when the client does not say; it sees no pieces then. */
const ROWS_OF_A_PIECE = 10_000;

/** Answers one statement that reads: from one replica that has everything, or from several whose answers it merges. */
export class StatementReader {
  readonly #deps: StatementReaderDeps;

  constructor(deps: StatementReaderDeps) {
    this.#deps = deps;
  }

  /**
   * The replicas that may answer alone, in read order. When several servers can do it together, only those that are up and
   * complete: the others would show holes that can be avoided.
   */
  aloneOrder(step: ReadStep): readonly Replica[] {
    const order = this.#deps.executor.orderOf(step.holders);
    if (this.mustBeAlone(step)) return order;
    return order.filter(({ isComplete, isUp }) => isComplete && isUp);
  }

  /** Several servers could not answer any better. */
  mustBeAlone({ holders, routes, obstacle }: ReadStep): boolean {
    return holders.length > 0 && (obstacle !== undefined || routes.length === 1);
  }

  /** Throws StatementFailed, QueryRejected, ClientGone; a ProxyError when no replica answers. */
  async *read(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const { subject } = scope;
    const whole = scope.clients(
      (db) => statementText(subject, db),
      hidesMissingDatabase(step.statement),
    );
    const alone = await this.#alone(step, scope, whole);
    yield* alone ?? this.#merged(step, scope);
  }

  /** Undefined: no replica can, but several together may. */
  async #alone(
    step: ReadStep,
    scope: Scope,
    inquiry: Inquiry,
  ): Promise<AsyncIterable<Item> | undefined> {
    const order = this.aloneOrder(step);
    const isOnlyWay = this.mustBeAlone(step);
    if (order.length === 0 && !isOnlyWay) return undefined;
    try {
      const { replica, items } = await this.#deps.executor.readItems(order, inquiry);
      scope.answered(replica);
      return step.statement.type === 'explain analyze' ? explained(items, replica, scope) : items;
    } catch (error) {
      if (isOnlyWay || !(error instanceof ProxyError)) throw error;
      return undefined;
    }
  }

  #merged(step: ReadStep, scope: Scope): AsyncIterable<Item> {
    switch (step.merge) {
      case 'none':
      case 'select':
        return this.#select(step, scope);
      case 'series':
        return this.#series(step, scope);
      case 'names':
        return this.#rows(step, scope, nameOfMeasurementRow);
      case 'keys':
        return this.#rows(step, scope, nameOfKeyRow);
      case 'name count':
      case 'key count':
        return this.#count(step, scope);
      case 'policies':
        return this.#policies(step, scope);
      case 'continuous queries':
        return this.#continuousQueries(step, scope);
    }
  }

  async *#select(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const matches = await this.#matches(step, scope);
    const routes = matches.size === 0 ? step.routes : this.#routesOf(step, matches);
    const { subject } = scope;
    if (matches.size > 0) {
      const narrowed = { ...step, routes, holders: intersection(routes) };
      const selection: Selection = { owns: () => true, matches };
      const inquiry = scope.clients((db) => statementText(subject, db, { selection }));
      const alone = await this.#alone(narrowed, scope, inquiry);
      if (alone !== undefined) {
        yield* alone;
        return;
      }
    }
    if (step.obstacle !== undefined) throw new StatementFailed(obstacleText(step));
    // One moment for all servers.
    const edits = freezeNow(subject.statement, this.#deps.clock.nowNanoseconds());
    const { executor } = this.#deps;
    const ownerOf = (covered: ReadonlySet<Route>) => this.#owns(covered);
    yield* mergeSelect({ executor, scope, routes, matches, edits, ownerOf });
  }

  /** The measurements that each pattern of the statement stands for; only the server can tell how it reads a pattern. */
  async #matches(
    { statement, routes }: ReadStep,
    scope: Scope,
  ): Promise<ReadonlyMap<Source, readonly string[]>> {
    const patterns = statement.sources.filter(({ regex }) => regex !== undefined);
    const found = await Promise.all(
      patterns.map(async (source) => {
        const inquiry = scope.own((db) => matchingText(scope.subject, source, db), true);
        const parts = await this.#deps.executor.gather(routes, inquiry);
        const names = parts.flatMap(({ pieces, routes: covered }) => {
          const rows = pieces.flatMap((piece) => itemsOf(`[${piece.rows}]`));
          return rows.map((row) => textOf(row.slice(1, -1))).filter(this.#owns(covered));
        });
        return [source, names] as const;
      }),
    );
    return new Map(found);
  }

  /** Of what is named and what the patterns found; some route, if that is nothing: a server is to say what it thinks of the rest. */
  #routesOf(
    { statement, routes }: ReadStep,
    matches: ReadonlyMap<Source, readonly string[]>,
  ): readonly Route[] {
    const names = statement.sources.flatMap((source) => source.name ?? matches.get(source) ?? []);
    const found = new Set(names.map((name) => this.#deps.routeOf(name)));
    found.delete(undefined);
    return found.size === 0 ? routes.slice(0, 1) : ([...found] as readonly Route[]);
  }

  async *#series(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const { subject } = scope;
    const answers = await this.#open(
      step,
      scope,
      scope.clients((db) => statementText(subject, db)),
    );
    const aside = newAside();
    for await (const { piece } of mergeByName(answers.map((one) => ownedPieces(one, aside)))) {
      yield piece;
    }
    yield* messagesOf(aside);
  }

  /** LIMIT and OFFSET count the rows of all servers together. */
  async *#rows(
    step: ReadStep,
    scope: Scope,
    nameOfRow: NameOfRow,
  ): AsyncGenerator<Item, void, undefined> {
    const { subject } = scope;
    const { limit, offset } = step.statement;
    const edits = unlimited(step.statement);
    const inquiry = scope.clients(
      (db) => statementText(subject, db, { edits }),
      hidesMissingDatabase(step.statement),
    );
    const answers = await this.#open(step, scope, inquiry);
    const aside = newAside();
    const sources = answers.map((one) => ownedRuns(one, nameOfRow, aside));
    const window = new RowWindow(limit?.value ?? 0, offset?.value ?? 0);
    const rows = async function* (): AsyncGenerator<readonly string[]> {
      for await (const run of mergeByName(sources)) {
        yield window.take(run.rows);
        if (window.isFull) return;
      }
    };
    // SHOW MEASUREMENTS comes in one piece, whatever the client asked for.
    const isOnePiece = step.merge === 'names' && scope.pieceRows !== undefined;
    const size = isOnePiece ? Infinity : (scope.pieceRows ?? ROWS_OF_A_PIECE);
    yield* piecesOf(() => aside.heading ?? NO_HEADING, rows(), size);
    yield* messagesOf(aside);
  }

  /** What the servers count would count replicas twice, and old copies: their lists are counted instead. */
  async *#count(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const { subject } = scope;
    const { statement, merge } = step;
    const isWhole = isEstimated(statement);
    const isOfKeys = merge === 'key count';
    const textFor = (db: string): string => {
      if (isOfKeys) return seriesText(subject, db);
      return isWhole ? measurementsText(subject, db) : countedText(subject, db);
    };
    const answers = await this.#open(step, scope, scope.own(textFor, !isOfKeys && isWhole));
    const aside = newAside();
    const nameOfRow = isOfKeys ? nameOfKeyRow : nameOfMeasurementRow;
    let count = 0;
    for (const answer of answers) {
      if (isWhole) {
        for await (const { rows } of ownedRuns(answer, nameOfRow, aside)) count += rows.length;
      } else {
        const names = new Set<string>();
        for await (const { name } of ownedPieces(answer, aside)) names.add(name);
        count += names.size;
      }
    }
    const isShown = isWhole || (count > 0 && (statement.offset?.value ?? 0) === 0);
    if (isShown) {
      const columns = isWhole ? '["cardinality estimation"]' : '["count"]';
      yield { kind: 'piece', name: '', tags: '', columns, rows: `[${count}]`, partial: false };
    }
    yield* messagesOf(aside);
  }

  async *#policies(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const { piece, messages } = policiesOf(await this.#gather(step, scope));
    if (piece !== undefined) yield piece;
    yield* messagesOf({ messages });
  }

  async *#continuousQueries(step: ReadStep, scope: Scope): AsyncGenerator<Item, void, undefined> {
    const servers = await this.#gather(step, scope);
    yield continuousQueriesOf(servers, scope.shownDb(servers[0]?.db));
  }

  async #gather(step: ReadStep, scope: Scope) {
    const { subject } = scope;
    const inquiry = scope.clients((db) => statementText(subject, db));
    const parts = await this.#deps.executor.gather(step.routes, inquiry);
    return parts.map(({ replica, pieces }) => {
      scope.answered(replica);
      return { server: replica.name, db: replica.db, pieces };
    });
  }

  async #open(step: ReadStep, scope: Scope, inquiry: Inquiry): Promise<readonly OwnedAnswer[]> {
    const parts = await this.#deps.executor.open(step.routes, inquiry);
    return parts.map(({ replica, routes, items }) => {
      scope.answered(replica);
      return { items, owns: this.#owns(routes) };
    });
  }

  #owns(routes: ReadonlySet<Route>): (measurement: string) => boolean {
    return (measurement) => {
      const route = this.#deps.routeOf(measurement);
      return route !== undefined && routes.has(route);
    };
  }
}

const NO_HEADING: Heading = { name: '', tags: '', columns: '[]' };

function obstacleText({ statement, obstacle }: ReadStep): string {
  const type = statement.type.toUpperCase();
  return `influx-proxy cannot run ${type} on measurements of several servers: ${obstacle ?? ''}`;
}

async function* explained(
  items: AsyncIterable<Item>,
  { db }: Replica,
  scope: Scope,
): AsyncGenerator<Item, void, undefined> {
  for await (const item of items) {
    yield item.kind === 'piece' ? planShowing(item, db, scope.shownDb(db)) : item;
  }
}
