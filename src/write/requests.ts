import type { Health } from '../backend/health.ts';
import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome, StatementOutcome } from '../backend/outcome.ts';

/** What one backend is asked to do. */
export interface Requests {
  readonly send: (body: WriteBody) => Promise<Outcome>;
  /** `form`: the parameters of `/query`, urlencoded, less the database. */
  readonly execute: (form: string) => Promise<StatementOutcome>;
}

/** The same requests, of which `health` hears. A write that is refused only once is sent again. */
export function reported({ send, execute }: Requests, health: Health): Requests {
  const report = (outcome: Outcome | StatementOutcome): void => {
    if (outcome.kind === 'failed') health.failed(outcome.reason);
    else health.answered();
  };
  return {
    send: async (body) => {
      const answer = await send(body);
      const isWorthRepeating = answer.kind === 'refused' && answer.scope === 'once';
      const outcome = isWorthRepeating ? await send(body) : answer;
      report(outcome);
      return outcome;
    },
    execute: async (form) => {
      const outcome = await execute(form);
      report(outcome);
      return outcome;
    },
  };
}
