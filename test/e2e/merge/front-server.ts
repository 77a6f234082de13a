import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Cleanup } from '../../support/cleanup.ts';
import { httpRequest } from '../../support/http-client.ts';
import type { Influxd } from '../../support/influxd.ts';

/** What the proxy sees of a real server, and what a test can spoil. */
export class FrontServer {
  /** Queries under way. */
  openQueries = 0;
  #port = 0;
  #server: Server | undefined;
  #holdsWrites = false;
  #stallsSelects = false;
  readonly #influxd: Influxd;

  private constructor(influxd: Influxd) {
    this.#influxd = influxd;
  }

  static async start(t: Cleanup, influxd: Influxd): Promise<FrontServer> {
    const front = new FrontServer(influxd);
    t.after(() => front.down());
    await front.up();
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Refuses writes for longer than any test: the server is up, is read, and falls behind. */
  holdWrites(): void {
    this.#holdsWrites = true;
  }

  /** Or no longer. Answers to SELECT stop after their first half. */
  stallSelects(stalls: boolean): void {
    this.#stallsSelects = stalls;
  }

  /** Listens, on the port that it had before if it was down. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      // Not caught: what goes wrong fails the test.
      void this.#serve(request, response);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Breaks all connections and refuses new ones. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
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
