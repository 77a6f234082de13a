import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cleanup } from './cleanup.ts';

export type Direction = 'to server' | 'to client';

/** A TCP proxy before `port` on 127.0.0.1 whose network a test can make bad; closed at the end. */
export async function tcpProxy(t: Cleanup, port: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(port);
  t.after(() => proxy.cut());
  await proxy.restore();
  return proxy;
}

export class TcpProxy {
  port = 0;
  readonly #targetPort: number;
  readonly #gates = { 'to server': new Gate(), 'to client': new Gate() };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Lets nothing pass in one direction, as a lost route does: nobody is told. */
  stall(direction: Direction): void {
    this.#gates[direction].close();
  }

  /** Ends `stall` and `slow`; what was held back passes now. */
  flow(direction: Direction): void {
    this.#gates[direction].open();
  }

  slow(direction: Direction, bytesPerSecond: number): void {
    this.#gates[direction].open(bytesPerSecond);
  }

  /** Resets every open connection; new ones are welcome. */
  dropConnections(): void {
    this.#sockets.forEach(breakOff);
  }

  /** Resets every open connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    this.dropConnections();
    await closed;
  }

  /** Takes connections again after `cut`, on the same port. */
  async restore(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      this.#join(client);
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  #join(client: Socket): void {
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.once('close', () => this.#sockets.delete(socket));
    }
    // However one side ends, the other learns it: a break as a break, a refused connection as a reset.
    const breakBoth = (): void => {
      breakOff(client);
      breakOff(server);
    };
    client.on('error', breakBoth);
    server.on('error', breakBoth);
    pump(client, server, this.#gates['to server']).catch(breakBoth);
    pump(server, client, this.#gates['to client']).catch(breakBoth);
  }
}

function breakOff(socket: Socket): void {
  // Node 20 forgets to close a handle that is reset while its FIN is on the way: the process would never end.
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

async function pump(from: Socket, to: Socket, gate: Gate): Promise<void> {
  // The end of one direction is not the end of the other: the socket outlives this loop.
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    const bytes = chunk as Buffer;
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + gate.pieceBytes);
      await gate.pass(piece.length);
      if (!to.write(piece)) await once(to, 'drain');
      at += piece.length;
    }
  }
  await gate.pass(0);
  to.end();
}

/** What one direction lets pass. */
class Gate {
  #bytesPerSecond = Infinity;
  #opened: Promise<void> = Promise.resolve();
  #openNow: () => void = () => undefined;

  /** A twentieth of a second's worth: slow means a thin stream, not rare gulps. */
  get pieceBytes(): number {
    return Math.max(1, Math.min(65_536, this.#bytesPerSecond / 20));
  }

  close(): void {
    this.#openNow();
    this.#opened = new Promise((resolve) => {
      this.#openNow = resolve;
    });
  }

  open(bytesPerSecond = Infinity): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#openNow();
  }

  async pass(bytes: number): Promise<void> {
    await this.#opened;
    if (this.#bytesPerSecond !== Infinity) await sleep((bytes / this.#bytesPerSecond) * 1000);
  }
}
