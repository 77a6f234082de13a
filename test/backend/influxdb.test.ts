import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { AnswerReader } from '../../src/backend/answer-reader.ts';
import { InfluxServer } from '../../src/backend/influxdb.ts';
import { systemClock } from '../../src/core/time.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';

function open(t: TestContext, url: string, timeout = 5_000): InfluxServer {
  const options = { url, db: 'd b', username: '', password: '', timeout, timeoutQuery: timeout };
  const server = new InfluxServer(options, systemClock);
  t.after(() => server.close());
  return server;
}

const BODY = { rp: 'r&p', precision: 'ms', payload: Buffer.from('m v=1 1\n'), gzipped: false };
const FORM = 'q=DELETE+FROM+m';

test('a write names its database, policy and precision, whatever letters they have', async (t) => {
  const backend = await scriptedBackend(t);
  const server = open(t, `${backend.url}/prefix/`);
  await server.write(BODY);
  const [request] = backend.requests;
  assert.equal(request?.path, '/prefix/write');
  assert.deepEqual(Object.fromEntries(request.query), { db: 'd b', rp: 'r&p', precision: 'ms' });
  assert.equal(request.body, 'm v=1 1\n');
});

test('an answer is read whole, in pieces too; of a very long one the first part is kept', async (t) => {
  const backend = await scriptedBackend(t);
  const server = open(t, backend.url);
  const refused = { kind: 'refused', status: 400, scope: 'lines' };

  backend.answer({ status: 400, body: ['{"err', 'or":"b', '\u00e4d"}'] });
  assert.deepEqual(await server.write(BODY), { ...refused, error: 'b\u00e4d' });

  backend.answer({ status: 400, body: Array.from({ length: 64 }, () => 'x'.repeat(64 * 1024)) });
  const outcome = await server.write(BODY);
  assert.equal(outcome.kind, 'refused');
  assert.ok(outcome.error.length >= 1024 * 1024 && outcome.error.length < 2 * 1024 * 1024);

  // The connection was read to the end, and is used again.
  backend.answer(204);
  assert.deepEqual(await server.write(BODY), { kind: 'stored' });
});

test('no whole answer in time is a failure, at whatever point it hangs', async (t) => {
  const failed = { kind: 'failed', reason: 'no answer within 50 ms' };
  const backend = await scriptedBackend(t, 'hang');
  const server = open(t, backend.url, 50);
  assert.deepEqual(await server.write(BODY), failed);
  assert.deepEqual(await server.execute(FORM), failed);

  backend.answer({ status: 400, body: [''], then: 'hang' });
  assert.deepEqual(await server.write(BODY), failed);
  backend.answer({ status: 200, body: ['{"res'], then: 'hang' });
  assert.deepEqual(await server.execute(FORM), failed);

  backend.ping = 'hang';
  await assert.rejects(server.ping(50), { message: failed.reason });
});

test('what has no connection when its time is up is never sent', () => {
  // undici asks for leave before it sends: that is where a late connection is turned away.
  const reader = new AnswerReader();
  const reason = new Error('late');
  reader.giveUp(reason);
  const aborted: unknown[] = [];
  const controller = { abort: (error: Error) => void aborted.push(error) };
  reader.onRequestStart(controller);
  assert.deepEqual(aborted, [reason]);
  return assert.rejects(reader.answer, reason);
});

test('a connection that breaks is a failure that names its cause', async (t) => {
  const backend = await scriptedBackend(t, 'reset');
  const server = open(t, backend.url);
  assert.deepEqual(await server.write(BODY), { kind: 'failed', reason: 'ECONNRESET' });
  backend.answer({ status: 400, body: ['{"err'], then: 'reset' });
  assert.equal((await server.write(BODY)).kind, 'failed');
  await backend.down();
  assert.deepEqual(await server.write(BODY), { kind: 'failed', reason: 'ECONNREFUSED' });
  await assert.rejects(server.ping(1_000), { code: 'ECONNREFUSED' });
  assert.deepEqual(await server.execute(FORM), { kind: 'failed', reason: 'ECONNREFUSED' });
});
