import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { HttpServer, type Listener, refusalOf } from '../../src/http/server.ts';
import { rawExchange } from '../support/raw-exchange.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';

interface Bench {
  readonly server: HttpServer;
  readonly url: string;
  /** A client's end of a new connection. */
  readonly connect: () => Promise<Socket>;
}

async function open(t: TestContext, listener: Listener): Promise<Bench> {
  const server = new HttpServer({ host: '127.0.0.1', port: 0, idleTimeoutMs: 60_000 }, listener);
  const port = await server.listen();
  t.after(() => {
    server.destroy();
    return server.close();
  });
  const connectTo = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { server, url: `http://127.0.0.1:${port}`, connect: connectTo };
}

/** Lets what has already arrived be read, and what was answered be sent. */
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count++) await turn();
}

const answered: Listener = (_, response) => {
  response.writeHead(200, { 'Content-Length': '2' }).end('ok');
  return Promise.resolve();
};

// Nothing but the server itself would end these connections: a miss shows as a test that does not end.
test('closing waits for no connection on which nothing is under way', async (t) => {
  const { server, connect } = await open(t, answered);
  const [silent, halfway, kept] = [await connect(), await connect(), await connect()];
  halfway.write('GET / HTT');
  kept.write(GET);
  await once(kept, 'data');
  const ends = [silent, halfway, kept].map((socket) => once(socket.resume(), 'close'));
  await server.close();
  await Promise.all(ends);
});

test('closing waits for answers under way, then ends connections that were promised to be kept', async (t) => {
  let finish: () => void = () => undefined;
  const { server, connect } = await open(t, async (_, response) => {
    response.writeHead(200, { 'Content-Length': '6' }).write('one');
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    response.end('two');
  });
  const socket = (await connect()).setEncoding('latin1');
  let received = '';
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.write(GET);
  while (!received.endsWith('one')) await once(socket, 'data');
  const ended = once(socket, 'close');
  const closed = server.close();
  finish();
  await Promise.all([closed, ended]);
  assert.match(received, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: keep-alive[^]*\r\n\r\nonetwo$/);
});

test('bytes that are not HTTP are refused, after the answers to what came before them', async (t) => {
  const { url } = await open(t, async (request, response) => {
    request.resume();
    await turns();
    response.writeHead(200, { 'Content-Length': '2' }).end('ok');
  });
  const refused = /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\n400 Bad Request$/;
  assert.match(await rawExchange(url, 'no HTTP\r\n\r\n'), refused);
  // The request is under way when the rest is read.
  const both = await rawExchange(url, `${GET}no HTTP\r\n\r\n`);
  assert.match(both, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
});

test('nothing is written into an answer that has begun', async (t) => {
  const { url } = await open(t, async (request, response) => {
    request.resume();
    response.writeHead(200, { 'Content-Length': '6' }).write('one');
    await turns();
    response.end('two');
  });
  const whole = await rawExchange(url, `${GET}no HTTP\r\n\r\n`);
  assert.match(whole, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nonetwo$/);
  // Its own body cannot be read on: the answer is cut.
  const cut = await rawExchange(url, `${POST}no length\r\n`).catch(() => '');
  assert.doesNotMatch(cut, /400|two/);
});

test('a request whose body breaks HTTP is refused', async (t) => {
  let reading: Promise<unknown> = Promise.resolve();
  const { url } = await open(t, (request) => {
    reading = assert.rejects(once(request.resume(), 'end'));
    return Promise.resolve();
  });
  assert.match(await rawExchange(url, `${POST}no length\r\n`), /^HTTP\/1\.1 400 Bad Request\r\n/);
  await reading;
});

test('a refusal says what is wrong, as Go says it', () => {
  const check = (code: string | undefined, status: string): void => {
    const text = refusalOf(Object.assign(new Error(), { code }));
    assert.ok(text.startsWith(`HTTP/1.1 ${status}\r\n`), text);
    assert.ok(text.endsWith(`\r\nConnection: close\r\n\r\n${status}`), text);
  };

  check('HPE_INVALID_METHOD', '400 Bad Request');
  check(undefined, '400 Bad Request');
  check('HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large');
  check('ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout');
});
