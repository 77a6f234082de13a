import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { httpRequest } from '../../support/http-client.ts';
import { HttpServer } from '../../support/http-server.ts';
import type { Influxd } from '../../support/influxd.ts';

/** What the proxy sees of a real server, and what a test can spoil. */
export class FrontServer extends HttpServer {
  /** Queries under way. */
  openQueries = 0;
  #holdsWrites = false;
  #stallsSelects = false;
  // Requests that are not passed on and answered yet.
  readonly #serving = new Set<Promise<void>>();
  readonly #influxd: Influxd;

  constructor(influxd: Influxd) {
    super((request, response) => {
      const served = this.#serve(request, response);
      this.#serving.add(served);
      // Not caught: what goes wrong fails the test.
      void served.finally(() => this.#serving.delete(served));
    });
    this.#influxd = influxd;
  }

  /** Refuses writes for longer than any test: the server is up, is read, and falls behind. */
  holdWrites(): void {
    this.#holdsWrites = true;
  }

  /** Or no longer. Answers to SELECT stop after their first half. */
  stallSelects(stalls: boolean): void {
    this.#stallsSelects = stalls;
  }

  /** Then nothing is under way at the real server either, which may be ended. */
  override async down(): Promise<void> {
    await super.down();
    await Promise.all(this.#serving);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const isQuery = path.startsWith('/query');
    if (isQuery) {
      this.openQueries++;
      response.once('close', () => this.openQueries--);
    }
    const received = await buffer(request);
    if (this.#holdsWrites && path.startsWith('/write')) {
      response.writeHead(503, { 'Retry-After': '600' }).end();
      return;
    }
    const answer = await httpRequest(this.#influxd.url + path, {
      method: request.method ?? '',
      headers: without(request.headers, ['host', 'connection']),
      ...(received.length > 0 && { body: received }),
    });
    const { status, headers, body } = answer;
    response.writeHead(
      status,
      without(headers, ['connection', 'content-length', 'transfer-encoding']),
    );
    const form = `${path.replace(/^.*\?/, '')}&${received.toString()}`;
    const isSelect = /^select/i.test(new URLSearchParams(form).get('q') ?? '');
    if (this.#stallsSelects && isSelect) response.write(body.subarray(0, body.length / 2));
    else response.end(body);
  }
}

function without(
  headers: IncomingHttpHeaders,
  names: readonly string[],
): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(([name]) => !names.includes(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}
