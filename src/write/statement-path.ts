import { ProxyError } from '../core/errors.ts';
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

/** Room for the header of its record. */
const RECORD_OVERHEAD_BYTES = 1024;

/** What InfluxDB answers to a statement that changes data and returns none. */
const DONE = '{"results":[{"statement_id":0}]}\n';

/** Brings statements to backends: run by those that are complete, kept in order with the writes for the others. */
export class StatementPath {
  readonly #senders: ReadonlyMap<string, Sender>;

  constructor(senders: ReadonlyMap<string, Sender>) {
    this.#senders = senders;
  }

  /**
   * Resolves when every backend that is not detached has run the statement, or has it on disk to run it in its turn. A
   * refusal by any of them is the answer. Rejects with a ProxyError (503) when it could neither be run nor kept somewhere.
   */
  async run({ backends, formFor, ordered }: EveryStatement): Promise<StatementAnswer> {
    const orders = backends
      .map((name) => this.#orderOf(name, formFor))
      .filter(({ sender }) => !sender.detachment.isDetached);
    if (orders.length === 0) {
      const names = backends.join(', ');
      throw new ProxyError('REPLICAS_UNAVAILABLE', `every server is detached: ${names}`);
    }
    reserve(orders);
    const verdicts = await Promise.all(
      orders.map((order) => (ordered ? deliver(order) : executeOrDeliver(order))),
    );
    const refused = verdicts.find((verdict) => verdict.kind === 'refused');
    if (refused !== undefined) return { status: refused.status, body: refused.body };
    const done = verdicts.find((verdict) => verdict.kind === 'done');
    return { status: 200, body: done?.body ?? DONE };
  }

  #orderOf(name: string, formFor: (db: string) => string): Order {
    const sender = this.#senders.get(name);
    if (sender === undefined) throw new Error(`BUG: no sender for backend ${name}`);
    const form = formFor(sender.db);
    return { sender, form, reservedBytes: form.length + RECORD_OVERHEAD_BYTES };
  }
}

interface Order {
  readonly sender: Sender;
  readonly form: string;
  readonly reservedBytes: number;
}

function reserve(orders: readonly Order[]): void {
  const full = orders.findIndex(({ sender, reservedBytes }) => !sender.tryReserve(reservedBytes));
  if (full === -1) return;
  for (const { sender, reservedBytes } of orders.slice(0, full)) sender.release(reservedBytes);
  const name = orders[full]?.sender.name ?? '';
  throw new ProxyError('SPILL_FULL', `no room left to keep statements for ${name}`);
}

function deliver({ sender, form, reservedBytes }: Order): Promise<StatementVerdict> {
  return sender.deliverStatement(form, reservedBytes);
}

/** Kept for later only by a backend that could not be asked. */
async function executeOrDeliver(order: Order): Promise<StatementVerdict> {
  const outcome = await order.sender.executeNow(order.form);
  if (outcome.kind === 'failed') return deliver(order);
  order.sender.release(order.reservedBytes);
  return outcome;
}
