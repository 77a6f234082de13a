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

/** By the code of Node's error; all others are a 400. */
const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers one request, now or later; what it returns is of no interest, a promise must not reject. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The listening socket and its connections. */
export class HttpServer {
  // The newest response of each open connection, undefined before its first request.
  readonly #connections = new Map<Socket, ServerResponse | undefined>();
  readonly #server: Server;
  readonly #options: ServerOptions;

  constructor(options: ServerOptions, listener: Listener) {
    this.#options = options;
    const listen = (request: IncomingMessage, response: ServerResponse): void => {
      this.#connections.set(request.socket, response);
      listener(request, response);
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
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      this.#refuse(error, socket);
    });
    this.#server.on('connection', (socket) => {
      this.#connections.set(socket, undefined);
      socket.once('close', () => this.#connections.delete(socket));
    });
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
    // Node takes a connection that has not sent a whole head yet for a busy one.
    for (const [socket, response] of this.#connections) {
      if (response === undefined || response.writableFinished) socket.destroy();
      else this.#endAfter(response, socket);
    }
    return closed;
  }

  /** Cuts what is still open. */
  destroy(): void {
    this.#server.closeAllConnections();
  }

  /** The connection ends with this response, also when its head has told the client that it would be kept. */
  #endAfter(response: ServerResponse, socket: Socket): void {
    response.once('close', () => {
      if (this.#connections.get(socket) === response) socket.destroySoon();
    });
  }

  /** Bytes that are not HTTP, or none for too long. A request before them gets its answer, and nothing is written into it. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const response = this.#connections.get(socket);
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else if (response === undefined) socket.end(refusalOf(error));
    else if (response.req.complete) {
      if (response.writableFinished) socket.end(refusalOf(error));
      else {
        socket.pause();
        this.#endAfter(response, socket);
      }
    } else if (response.socket === socket && !response.headersSent) {
      // The fault is in the body of this request, and nothing is before it.
      socket.end(refusalOf(error));
    } else socket.destroy();
  }
}

/** In the words of Go's server, and so of influxd; the status of a timeout is Node's, Go's server says nothing then. */
export function refusalOf({ code }: NodeJS.ErrnoException): string {
  const status = REFUSALS[code ?? ''] ?? '400 Bad Request';
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n`;
  return `${head}\r\n${status}`;
}
