import type { Dispatcher } from 'undici';

type Controller = Pick<Dispatcher.DispatchController, 'abort'>;
type Headers = Dispatcher.ResponseData['headers'];

/** An answer that is small by nature, read to its end. */
export interface ShortAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** At most the first MAX_TEXT_BYTES. */
  readonly text: string;
}

/** influxd's longest list of unparsable lines is cut there. */
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * Reads one short answer, by undici's own events: `request` would make a stream of each body, also of an empty one, which
 * costs as much CPU as all the rest of a write.
 */
export class AnswerReader implements Dispatcher.DispatchHandler {
  /** Rejects when no whole answer comes. */
  readonly answer: Promise<ShortAnswer>;
  #status = 0;
  #headers: Headers = {};
  #bytes = 0;
  #gaveUp: Error | undefined;
  #controller: Controller | undefined;
  readonly #chunks: Buffer[] = [];
  readonly #resolve: (answer: ShortAnswer) => void;
  readonly #reject: (error: Error) => void;

  constructor() {
    let resolve: (answer: ShortAnswer) => void = () => undefined;
    let reject: (error: Error) => void = () => undefined;
    this.answer = new Promise((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Rejects with `error`, and cuts the connection if the request is on one. */
  giveUp(error: Error): void {
    this.#gaveUp = error;
    this.#reject(error);
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // The time was up before there was a connection: nothing is sent.
    if (this.#gaveUp !== undefined) controller.abort(this.#gaveUp);
  }

  onResponseStart(_: Controller, status: number, headers: Headers): void {
    this.#status = status;
    this.#headers = headers;
  }

  /** All is read, so that the connection can be used again, but only the first part is kept. */
  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#bytes < MAX_TEXT_BYTES) this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  onResponseEnd(): void {
    const text = this.#bytes === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.#resolve({ status: this.#status, headers: this.#headers, text });
  }

  onResponseError(_: Controller, error: Error): void {
    this.#reject(error);
  }
}
