import type { WriteBody } from '../backend/influxdb.ts';
import type { Outcome } from '../backend/outcome.ts';
import type { Clock } from '../core/time.ts';
import type { DeadPoint } from '../spill/dead-point.ts';
import { deadPointsOf } from './dead-points.ts';
import { findRefused } from './refusals.ts';

const LINE_END = Buffer.from('\n');

export interface ResendDeps {
  readonly send: (db: string, body: WriteBody) => Promise<Outcome>;
  readonly clock: Clock;
}

/** What became of dead points that were sent once more. */
export type Resent =
  /** Those that are not in `refused`, which has the new words, are stored, or `expired` of them are too old by now. */
  | {
      readonly kind: 'answered';
      readonly refused: readonly DeadPoint[];
      readonly expired: number;
    }
  /** Some may be stored; to be sent again. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Sends points of one target (db, rp, precision), in their order. */
export async function resend(points: readonly DeadPoint[], deps: ResendDeps): Promise<Resent> {
  const [target] = points;
  if (target === undefined) return { kind: 'answered', refused: [], expired: 0 };
  const { db, rp, precision } = target;
  const send = (payload: Buffer): Promise<Outcome> =>
    deps.send(db, { rp, precision, payload, gzipped: false });
  const payload = Buffer.concat(points.flatMap(({ line }) => [line, LINE_END]));
  const outcome = await send(payload);
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'stored') return { kind: 'answered', refused: [], expired: 0 };
  const search = await findRefused(payload, outcome, { send, maxRefusals: Infinity });
  if (search.kind === 'failed') return search;
  const context = { db, rp, precision, timeMs: deps.clock.now() };
  return {
    kind: 'answered',
    expired: search.expired,
    refused: search.refused.flatMap((lines) => deadPointsOf(lines, context)),
  };
}
