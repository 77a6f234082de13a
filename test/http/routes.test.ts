import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { type Handler, router } from '../../src/http/routes.ts';
import { HttpServer } from '../../src/http/server.ts';
import { eventually } from '../support/eventually.ts';
import { fakeLog } from '../support/fake-log.ts';
import { httpRequest } from '../support/http-client.ts';

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
      routes: { '/': { GET: handler, POST: handler } },
      headers: () => ['X-Common', 'yes'],
      isClosing: () => bench.isClosing,
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

test('who is answered while the proxy shuts down is told that the connection ends', async (t) => {
  const bench = await open(t, () => {
    // It was not when the request came.
    bench.isClosing = true;
    return { status: 204 };
  });
  assert.equal((await httpRequest(bench.url)).headers.connection, 'close');
});

test('the signal of a request aborts when its client goes, whenever it is asked for', async (t) => {
  const signals: AbortSignal[] = [];
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
  let signal: AbortSignal | undefined;
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
