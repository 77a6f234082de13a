import type { Cursor } from './cursor.ts';
import type { Clauses, Span, Statement } from './statement.ts';

type Mutable<T> = {
  -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K];
};

export type ClausesDraft = Mutable<Clauses>;
export type StatementDraft = Mutable<Omit<Statement, 'effect'>>;

/** What a rule fills in: the statement, and the clauses of the level at which the rule stands. */
export interface Scope {
  readonly statement: StatementDraft;
  readonly clauses: ClausesDraft;
  readonly depth: number;
}

/** Reads one part of a statement; optional parts read nothing if their keyword is absent. */
export type Rule = (cursor: Cursor, scope: Scope) => void;

export function emptyClauses(): ClausesDraft {
  return {
    fields: [],
    calls: [],
    raw: true,
    where: undefined,
    dimensions: [],
    fill: false,
    descending: false,
    limit: undefined,
    offset: undefined,
    slimit: undefined,
    soffset: undefined,
    timezone: undefined,
  };
}

export function emptyStatement(type: Statement['type'], start: number): StatementDraft {
  return {
    ...emptyClauses(),
    type,
    start,
    end: start,
    sources: [],
    subqueries: [],
    into: undefined,
    ignoredTargets: [],
    database: undefined,
    everyDatabase: false,
    policy: undefined,
    subject: undefined,
    exact: false,
    nowCalls: [],
    secrets: [],
  };
}

/** From the token that starts at `start` to the end of what was read. */
export function spanFrom(start: number, cursor: Cursor): Span {
  return { start, end: cursor.at };
}
