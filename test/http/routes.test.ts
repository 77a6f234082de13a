import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/core/time.ts';
import type { Signal } from '../../src/core/signal.ts';
import { type Handler, router } from '../../src/http/routes.ts';
import { HttpServer } from '../../src/http/server.ts';
import { eventually } from '../support/eventually.ts';
import { fakeLog } from '../support/fake-log.ts';
import { httpRequest } from '../support/http-client.ts';
import { rawExchange } from '../support/raw-exchange.ts';

interface Bench {
  readonly url: string;
  readonly log: ReturnType<typeof fakeLog>;
  /** Whether the proxy is shutting down. */
  isClosing: boolean;
}

/** A server whose path `/` this handler answers. */
async function open(t: TestContext, handler: Handler): Promise<Bench> {
  const log = fakeLog();
  const bench = { url: '', log, isClosing: false };
  const server = new HttpServer(
    { host: '127.0.0.1', port: 0, idleTimeoutMs: 60_000 },
    router({
      routes: { '/': { methods: { GET: handler, POST: handler } } },
      headers: () => ['X-Common', 'yes'],
      isClosing: () => bench.isClosing,
      clock: systemClock,
      log,
    }),
  );
  bench.url = `http://127.0.0.1:${await server.listen()}/`;
  t.after(() => {
    server.destroy();
    return server.close();
  });
  return bench;
}

test('an answer with a header that HTTP does not allow becomes a 502', async (t) => {
  let body: Readable | string = 'text';
  const { url, log } = await open(t, () => ({
    status: 200,
    headers: { 'Content-Type': 'text/plain; charset=\u20ac' },
    body,
  }));
  for (const stream of [undefined, Readable.from([Buffer.from('a')])]) {
    if (stream !== undefined) body = stream;
    const answer = await httpRequest(url);
    assert.deepEqual([answer.status, answer.statusMessage], [502, 'Bad Gateway']);
    assert.equal(answer.text, '{"error":"the answer of the server cannot be passed on"}\n');
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['x-common'], 'yes');
    assert.notEqual(stream?.destroyed, false, 'nobody else would end it');
  }
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ['request failed', 'request failed'],
  );
});

test('an answer whose source breaks off is reset, so that nobody takes it for a whole one', async (t) => {
  let body = new PassThrough();
  const { url } = await open(t, () => ({ status: 200, body }));
  const check = async (spoil: () => void, arrives: string): Promise<void> => {
    body = new PassThrough();
    // As whoever hands a body over: nobody may die of its end.
    body.on('error', () => undefined);
    if (arrives === '') spoil();
    else body.write(arrives);
    const until = (received: string): boolean => {
      if (received.endsWith(arrives)) spoil();
      return false;
    };
    // The end of a connection is the end of an answer to HTTP/1.0.
    const answer = rawExchange(url, 'GET / HTTP/1.0\r\n\r\n', { until });
    await assert.rejects(answer, { code: 'ECONNRESET' });
  };

  await check(() => body.destroy(new Error('broken')), 'half');
  await check(() => body.destroy(), 'half');
  await check(() => body.destroy(new Error('broken')), '');
  await check(() => body.destroy(), '');
});

test('a source ends when its reader goes', async (t) => {
  const body = new PassThrough();
  const { url } = await open(t, () => ({ status: 200, body }));
  body.write('half');
  await rawExchange(url, 'GET / HTTP/1.0\r\n\r\n', {
    until: (received) => received.endsWith('half'),
  });
  await eventually('its end', () => body.destroyed);
});

test('who is answered while the proxy shuts down is told that the connection ends', async (t) => {
  const bench = await open(t, () => {
    // It was not when the request came.
    bench.isClosing = true;
    return { status: 204 };
  });
  assert.equal((await httpRequest(bench.url)).headers.connection, 'close');
});

test('the signal of a request aborts when its client goes, whenever it is asked for', async (t) => {
  const signals: Signal[] = [];
  let arrived = 0;
  const { url, log } = await open(t, async (exchange) => {
    arrived += 1;
    if (exchange.request.url === '/?early') signals.push(exchange.signal);
    await once(exchange.response, 'close');
    assert.ok(exchange.isAbandoned);
    signals.push(exchange.signal);
    throw new Error('nobody is there to be answered');
  });
  for (const query of ['early', 'late']) {
    const client = new AbortController();
    const before = arrived;
    const asked = httpRequest(`${url}?${query}`, { signal: client.signal });
    const gone = assert.rejects(asked);
    await eventually('the request', () => arrived > before);
    client.abort();
    await gone;
  }
  await eventually('all signals', () => signals.length === 3);
  assert.ok(signals.every(({ aborted }) => aborted));
  assert.equal(signals[0], signals[1], 'one for each request');
  assert.deepEqual(log.lines, []);
});

test('no signal aborts when the answer was read to its end', async (t) => {
  let signal: Signal | undefined;
  let isAbandoned: boolean | undefined;
  const { url } = await open(t, (exchange) => {
    ({ signal } = exchange);
    exchange.response.once('close', () => {
      ({ isAbandoned } = exchange);
    });
    return { status: 200, body: 'x' };
  });
  await httpRequest(url);
  await eventually('its end', () => isAbandoned !== undefined);
  assert.deepEqual([signal?.aborted, isAbandoned], [false, false]);
});

test('targets are told apart however many there are, long and short', async (t) => {
  const { url } = await open(t, ({ parameters }) => ({
    status: 200,
    body: JSON.stringify([...parameters]),
  }));
  const check = async (value: string): Promise<void> => {
    const { text } = await httpRequest(`${url}?a=${value}`);
    assert.equal(text, JSON.stringify([['a', value]]));
  };
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 300; number++) await check(String(number));
    await check('x'.repeat(1_000));
  }
});
