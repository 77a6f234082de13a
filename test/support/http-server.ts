import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cleanup } from './cleanup.ts';

/** What it throws fails the test. */
export type Serve = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A server on a port of its own, which can go down and come back. */
export class HttpServer {
  #port = 0;
  #server: Server | undefined;
  readonly #serve: Serve;

  constructor(serve: Serve) {
    this.#serve = serve;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the port that it had before if it was down. */
  async up(): Promise<void> {
    const server = createServer(this.#serve);
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
}

/** Up until the test has ended. */
export async function started<S extends HttpServer>(t: Cleanup, server: S): Promise<S> {
  t.after(() => server.down());
  await server.up();
  return server;
}
