import { type Admission, RECORD_OVERHEAD_BYTES } from './admission.ts';
import type { Sender } from './sender.ts';
import type { StatementVerdict } from './verdict.ts';

/** A statement that changes data, for every backend that holds what it names. */
export interface EveryStatement {
  readonly backends: readonly string[];
  /** The parameters of `/query`, urlencoded, for a backend whose database has this name. */
  readonly formFor: (db: string) => string;
  /** Only against the order of writes and other statements; else at once. */
  readonly ordered: boolean;
}

/** InfluxDB's answer: what a client gets. */
export interface StatementAnswer {
  readonly status: number;
  readonly body: string;
}

export interface StatementPathDeps {
  readonly senders: ReadonlyMap<string, Sender>;
  readonly admission: Admission;
}

/** What InfluxDB answers to a statement that changes data and returns none. */
const DONE = '{"results":[{"statement_id":0}]}\n';

/** Brings statements to backends: run by those that are complete, kept in order with the writes for the others. */
export class StatementPath {
  readonly #deps: StatementPathDeps;

  constructor(deps: StatementPathDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when every backend that is not detached has run the statement, or has it on disk to run it in its turn. A
   * refusal by any of them is the answer. Rejects with a ProxyError (503) when it could neither be run nor kept somewhere.
   */
  async run({ backends, formFor, ordered }: EveryStatement): Promise<StatementAnswer> {
    const orders = backends.map((name) => {
      const sender = this.#senderOf(name);
      return { sender, form: formFor(sender.db) };
    });
    const bytes = Math.max(...orders.map(({ form }) => form.length)) + RECORD_OVERHEAD_BYTES;
    await this.#deps.admission.admit([{ backends, bytes }]);
    const verdicts = await Promise.all(
      orders.map(({ sender, form }) =>
        ordered ? sender.deliverStatement(form, bytes) : executeOrDeliver(sender, form, bytes),
      ),
    );
    const refused = verdicts.find((verdict) => verdict.kind === 'refused');
    if (refused !== undefined) return { status: refused.status, body: refused.body };
    const done = verdicts.find((verdict) => verdict.kind === 'done');
    return { status: 200, body: done?.body ?? DONE };
  }

  #senderOf(name: string): Sender {
    const sender = this.#deps.senders.get(name);
    if (sender === undefined) throw new Error(`BUG: no sender for backend ${name}`);
    return sender;
  }
}

/** Kept for later only by a backend that could not be asked. */
async function executeOrDeliver(
  sender: Sender,
  form: string,
  reservedBytes: number,
): Promise<StatementVerdict> {
  if (sender.detachment.isDetached) return { kind: 'missed' };
  const outcome = await sender.executeNow(form);
  if (outcome.kind === 'failed') return sender.deliverStatement(form, reservedBytes);
  sender.release(reservedBytes);
  return outcome;
}
