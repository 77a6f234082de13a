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
  readonly #influxd: Influxd;

  constructor(influxd: Influxd) {
    super((request, response) => this.#serve(request, response));
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
