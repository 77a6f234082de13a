import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { messageOf, ProxyError } from '../core/errors.ts';

export interface ServerOptions {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  readonly port: number;
  /** Milliseconds that a kept-alive connection may idle. */
  readonly idleTimeoutMs: number;
}

/** Bytes of request line and headers; influxd's limit, because clients put whole queries into the URL. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Milliseconds for a whole request to arrive: a body over a slow line, not a client that holds a body back. */
const REQUEST_TIMEOUT_MS = 600_000;

/** Answers one request; never rejects. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The listening socket and its connections. */
export class HttpServer {
  readonly #server: Server;
  readonly #options: ServerOptions;

  constructor(options: ServerOptions, listener: Listener) {
    this.#options = options;
    const listen = (request: IncomingMessage, response: ServerResponse): void => {
      void listener(request, response);
    };
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        keepAliveTimeout: options.idleTimeoutMs,
        requestTimeout: REQUEST_TIMEOUT_MS,
        noDelay: true,
      },
      listen,
    );
    // Without this listener Node would send `100 Continue` before anybody has looked at the headers.
    this.#server.on('checkContinue', listen);
    this.#server.on('clientError', answerUnreadable);
  }

  /** Resolves with the port, which differs from the option when that was 0. Rejects with LISTEN_FAILED. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      // Stays for good: once it listens, an error is about one connection, and must not end the process.
      this.#server.on('error', (error) => {
        const text = `cannot listen on ${host ?? ''}:${port}: ${messageOf(error)}`;
        reject(new ProxyError('LISTEN_FAILED', text, { cause: error }));
      });
      // Node would resolve the name to ::1 alone where IPv6 exists; clients of old know 127.0.0.1.
      this.#server.listen(port, host === 'localhost' ? '127.0.0.1' : host, () => {
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no new connection, lets requests under way be answered, and resolves when every connection is closed. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    return closed;
  }

  /** Cuts what is still open. */
  destroy(): void {
    this.#server.closeAllConnections();
  }
}

/** What Go's server, and so influxd, answers to bytes that are not HTTP. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n`;
  socket.end(`${head}\r\n${status}`);
}
