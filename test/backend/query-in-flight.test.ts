import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { InfluxServer } from '../../src/backend/influxdb.ts';
import { type QueryAnswer, QueryInFlight } from '../../src/backend/query-in-flight.ts';
import { Scavenger } from '../../src/core/scavenger.ts';
import { systemClock } from '../../src/core/time.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';

function open(t: TestContext, url: string): InfluxServer {
  const options = {
    url,
    db: 'd b',
    username: '',
    password: '',
    timeout: 5_000,
    timeoutQuery: 5_000,
  };
  const server = new InfluxServer(options, systemClock);
  t.after(() => server.close());
  return server;
}

async function bytesOf({ body }: QueryAnswer): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Sends each request the same bytes, in these pieces, with time to read between them. */
async function startInPieces(t: TestContext): Promise<{ url: string; pieces: Buffer[] }> {
  const served = { url: '', pieces: [] as Buffer[] };
  const serve = async (socket: Socket): Promise<void> => {
    for (const piece of served.pieces) {
      socket.write(piece);
      await nextTurn();
    }
  };
  const server = createServer((socket) => {
    let received = '';
    socket.setNoDelay(true).on('data', (bytes) => {
      received += bytes.toString('latin1');
      if (!received.endsWith('\r\n\r\n')) return;
      received = '';
      void serve(socket);
    });
    t.after(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return served;
}

/** In chunks of these sizes in turn, or with its length. */
function rawAnswer(body: Buffer, sizes: readonly number[]): Buffer {
  const head = 'HTTP/1.1 200 OK\r\nX-Name: value\r\n';
  if (sizes.length === 0) {
    return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  }
  return Buffer.concat([
    Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
    ...cut(body, sizes).flatMap((chunk) => [
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from('\r\n'),
    ]),
    Buffer.from('0\r\n\r\n'),
  ]);
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test('an answer is the same in whatever pieces it comes, and the connection is used again', async (t) => {
  const served = await startInPieces(t);
  const server = open(t, served.url);
  const sizes = fc.array(fc.integer({ min: 40, max: 100_000 }), { maxLength: 4 });
  const length = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 300_000 }));
  await fc.assert(
    fc.asyncProperty(length, sizes, sizes, async (bytes, chunks, pieces) => {
      const body = Buffer.alloc(bytes, 'the answer is cut anywhere ');
      served.pieces = cut(rawAnswer(body, chunks), pieces);
      const answer = await server.query([['q', 'x']], {}).answer;
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['x-name'], 'value');
      assert.ok(body.subarray(0, answer.beginning.length).equals(answer.beginning));
      assert.equal(answer.beginning.length === 0, bytes === 0);
      assert.ok((await bytesOf(answer)).equals(body));
    }),
  );
});

test('a short answer that comes at once is no stream', async (t) => {
  const backend = await scriptedBackend(t, { status: 400, body: '{"error":"x"}' }, 204);
  const server = open(t, backend.url);
  const form = [
    ['pretty', 'true'],
    ['q', "a+b&c=d e%'\u00e4"],
  ] as const;
  const answer = await server.query(form, { accept: 'x/y' }).answer;
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.body, Buffer.from('{"error":"x"}'));
  assert.deepEqual((await server.query(form, {}).answer).body, Buffer.alloc(0));

  const [request] = backend.requests;
  assert.equal(request?.method, 'GET');
  const sent = Object.fromEntries(request.query);
  assert.deepEqual(sent, { pretty: 'true', q: "a+b&c=d e%'\u00e4", db: 'd b' });
  assert.equal(request.headers.accept, 'x/y');
});

test('a query too long for a URL is sent as a form', async (t) => {
  const backend = await scriptedBackend(t, 204);
  const server = open(t, backend.url);
  const q = `SELECT ${'"ä" + '.repeat(500)}1`;
  for (const pretty of ['true', 'false']) {
    const form = [
      ['pretty', pretty],
      ['q', q],
    ] as const;
    await server.query(form, { accept: 'x/y' }).answer;
  }
  const sent = backend.requests.map(({ method, query, headers, body }) => ({
    ...{ method, accept: headers.accept, url: query.toString() },
    form: Object.fromEntries(new URLSearchParams(body)),
  }));
  assert.deepEqual(sent, [
    {
      ...{ method: 'POST', accept: 'x/y', url: 'pretty=true' },
      form: { pretty: 'true', q, db: 'd b' },
    },
    { ...{ method: 'POST', accept: 'x/y', url: '' }, form: { pretty: 'false', q, db: 'd b' } },
  ]);
});

test('what is given up fails with the reason, wherever it is', async (t) => {
  const reason = new Error('enough');
  // undici asks for leave before it sends: that is where a late connection is turned away.
  const unsent = new QueryInFlight(new Scavenger());
  unsent.giveUp(reason);
  const aborted: unknown[] = [];
  const ignore = (): void => undefined;
  const controller = {
    abort: (error: Error) => void aborted.push(error),
    pause: ignore,
    resume: ignore,
  };
  unsent.onRequestStart(controller);
  assert.deepEqual(aborted, [reason]);
  await assert.rejects(unsent.answer, reason);

  const backend = await scriptedBackend(t, 'hang');
  const server = open(t, backend.url);
  const unanswered = server.query([['q', 'x']], {});
  await backend.received(1);
  unanswered.giveUp(reason);
  await assert.rejects(unanswered.answer, reason);

  backend.answer({ status: 200, body: ['{"res'], then: 'hang' });
  const begun = server.query([['q', 'x']], {});
  const answer = await begun.answer;
  begun.giveUp(reason);
  await assert.rejects(bytesOf(answer), reason);
});

test('an answer that breaks off fails, before its first byte and after it', async (t) => {
  const backend = await scriptedBackend(t, { status: 200, body: '', then: 'reset' });
  const server = open(t, backend.url);
  await assert.rejects(server.query([['q', 'x']], {}).answer, { code: /RESET|SOCKET/ });
  for (const then of ['reset', 'hang'] as const) {
    backend.answer({ status: 200, body: ['{"results":['], then });
    const answer = await server.query([['q', 'x']], {}).answer;
    if (then === 'hang') await backend.down();
    await assert.rejects(bytesOf(answer));
  }
});
