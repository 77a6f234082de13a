import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { joined } from '../core/buffers.ts';
import type { Scavenger } from '../core/scavenger.ts';

type Controller = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>;

/** The answer to a query, as far as it is there. */
export interface QueryAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  /** The first bytes of the body. Empty: it is. */
  readonly beginning: Buffer;
  /** All of it when it came at once, else a stream from its first byte, which must be read to its end or destroyed. */
  readonly body: Buffer | Readable;
}

/**
 * Reads the answer to one query, by undici's own events: `request` would make a stream of each body. Most are short and
 * come at once, and a buffer costs a fraction of a stream, here and on the way to the client.
 */
export class QueryInFlight implements Dispatcher.DispatchHandler {
  /** Resolves when the first bytes of the body are there, or it has ended without any. Rejects when it breaks before. */
  readonly answer: Promise<QueryAnswer>;
  readonly #scavenger: Scavenger;
  #status = 0;
  #headers: QueryAnswer['headers'] = {};
  readonly #chunks: Buffer[] = [];
  #isWhole = false;
  #body: AnswerBody | undefined;
  #controller: Controller | undefined;
  #gaveUp: Error | undefined;
  #broke: Error | undefined;
  #begin: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(scavenger: Scavenger) {
    this.#scavenger = scavenger;
    const begun = new Promise<void>((resolve, reject) => {
      this.#begin = resolve;
      this.#reject = reject;
    });
    // Runs when all is read that came with the first bytes, because undici reads that in one go.
    this.answer = begun.then(() => this.#answer());
  }

  /** Nobody wants the answer any more: what waits for it fails with `error`, and so does a body that is not read to its end. */
  giveUp(error: Error): void {
    this.#gaveUp = error;
    this.#reject(error);
    this.#controller?.abort(error);
    this.#body?.destroy(error);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // Given up before there was a connection: nothing is sent.
    if (this.#gaveUp !== undefined) controller.abort(this.#gaveUp);
  }

  onResponseStart(_: Controller, status: number, headers: QueryAnswer['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#body === undefined) {
      this.#keep(chunk);
      return;
    }
    if (!this.#body.push(chunk)) controller.pause();
    this.#scavenger.read(chunk.length);
  }

  onResponseEnd(): void {
    this.#isWhole = true;
    if (this.#body !== undefined) this.#body.push(null);
    else if (this.#chunks.length === 0) this.#begin();
  }

  onResponseError(_: Controller, error: Error): void {
    this.#broke = error;
    this.#reject(error);
    this.#body?.destroy(error);
  }

  /** Tells of the first one only: to resolve a promise once more is an event in Node, of half a microsecond. */
  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (this.#chunks.length === 1) this.#begin();
  }

  #answer(): QueryAnswer {
    if (this.#gaveUp !== undefined) throw this.#gaveUp;
    const beginning = joined(this.#chunks);
    const body = this.#isWhole ? beginning : this.#open(beginning);
    return { status: this.#status, headers: this.#headers, beginning, body };
  }

  #open(beginning: Buffer): Readable {
    this.#body = new AnswerBody(beginning, this.#controller);
    if (this.#broke !== undefined) this.#body.destroy(this.#broke);
    return this.#body;
  }
}

/** The server is read no faster than this is. */
class AnswerBody extends Readable {
  readonly #controller: Controller | undefined;

  constructor(beginning: Buffer, controller: Controller | undefined) {
    super({ highWaterMark: MAX_WAITING_BYTES });
    this.#controller = controller;
    // It may break before anybody reads it, who finds it destroyed; nobody may die of it.
    this.on('error', () => undefined);
    this.push(beginning);
  }

  override _read(): void {
    this.#controller?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded) this.#controller?.abort(error ?? new Error('nobody reads the answer'));
    done(error);
  }
}

/** Bytes of an answer that wait for a slow client. */
const MAX_WAITING_BYTES = 64 * 1024;
