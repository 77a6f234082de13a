import { connect } from 'node:net';

export interface RawOptions {
  /** Ends the exchange when true of all that came so far; without it, it ends when the server closes. */
  readonly until?: (received: string) => boolean;
  /** Default 30,000; then it throws, with what had come. */
  readonly timeoutMs?: number;
  /** Closes our sending side after the last byte. */
  readonly halfClose?: boolean;
}

/** Sends exactly these bytes (an HTTP/1.0 request, a broken one) and returns, as latin1, what came back. */
export function rawExchange(
  url: string,
  bytes: string | Buffer,
  options: RawOptions = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(received);
      else reject(error);
    };
    const timer = setTimeout(() => {
      finish(new Error(`no end of the answer; so far: ${JSON.stringify(received)}`));
    }, options.timeoutMs ?? 30_000);
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (options.until?.(received) === true) finish();
    });
    socket.on('end', finish).on('error', finish);
    socket.write(bytes);
    if (options.halfClose === true) socket.end();
  });
}
