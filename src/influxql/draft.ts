import type { Cursor } from './cursor.ts';
import type {
  Clauses,
  Count,
  Dimension,
  Effect,
  Field,
  Name,
  Reference,
  Source,
  Span,
  Statement,
  StatementType,
  Target,
} from './statement.ts';

/** Clauses while they are read. Classes and not spread literals: statements are made for every query. */
export class ClausesDraft implements Clauses {
  readonly fields: Field[] = [];
  calls: readonly string[] = [];
  raw = true;
  where: Span | undefined = undefined;
  readonly measurements: Source[] = [];
  readonly subqueries: Clauses[] = [];
  readonly dimensions: Dimension[] = [];
  fill: string | undefined = undefined;
  descending = false;
  limit: Count | undefined = undefined;
  offset: Count | undefined = undefined;
  slimit: Count | undefined = undefined;
  soffset: Count | undefined = undefined;
  timezone: string | undefined = undefined;
}

export class StatementDraft extends ClausesDraft implements Statement {
  type: StatementType;
  effect: Effect;
  readonly start: number;
  end: number;
  readonly sources: Source[] = [];
  into: Target | undefined = undefined;
  readonly ignoredTargets: Target[] = [];
  database: Name | undefined = undefined;
  everyDatabase = false;
  policy: Name | undefined = undefined;
  subject: Name | undefined = undefined;
  exact = false;
  readonly references: Reference[] = [];
  readonly nowCalls: Span[] = [];
  readonly secrets: Span[] = [];

  constructor(type: StatementType, start: number) {
    super();
    this.type = type;
    this.effect = 'admin'; // the strictest, until the rules have settled the type
    this.start = start;
    this.end = start;
  }
}

/** What a rule fills in: the statement, and the clauses of the level at which the rule stands. */
export interface Scope {
  readonly statement: StatementDraft;
  readonly clauses: ClausesDraft;
  readonly depth: number;
}

/** Reads one part of a statement; optional parts read nothing if their keyword is absent. */
export type Rule = (cursor: Cursor, scope: Scope) => void;

/** From the token that starts at `start` to the end of what was read. */
export function spanFrom(start: number, cursor: Cursor): Span {
  return { start, end: cursor.at };
}
