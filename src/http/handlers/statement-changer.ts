import type { Clock } from '../../core/time.ts';
import { freezeNow, quoteIdentifier } from '../../influxql/edit.ts';
import type { EngineDeps } from '../../query/engine.ts';
import { pick } from '../../query/parameters.ts';
import { statementText } from '../../query/question.ts';
import type { StatementPath } from '../../write/statement-path.ts';

export interface StatementChangerDeps {
  readonly statements: StatementPath;
  /** All of them. */
  readonly backends: readonly string[];
  readonly clock: Clock;
}

/** Passed on with a statement that changes data. */
const PASSED = ['rp', 'params'];

/** How the query engine has statements that change data run: by the write path, in order with the writes. */
export function statementChanger(deps: StatementChangerDeps): EngineDeps['change'] {
  const { statements, backends, clock } = deps;
  return (step, { text, parameters }) => {
    if (step.kind === 'create database') {
      const formFor = (db: string): string =>
        new URLSearchParams({ q: `CREATE DATABASE ${quoteIdentifier(db)}` }).toString();
      return statements.run({ backends, formFor, ordered: false });
    }
    const { statement } = step;
    // One moment for all replicas, so that each deletes the same points.
    const edits = freezeNow(statement, clock.nowNanoseconds());
    const passed = pick(parameters, PASSED);
    const formFor = (db: string): string => {
      const q = statementText({ text, statement }, db, { edits });
      return new URLSearchParams([...passed, ['db', db], ['q', q]]).toString();
    };
    return statements.run({ backends: step.backends, formFor, ordered: true });
  };
}
