import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { type Handler, scriptedBackend, type Step } from '../support/scripted-backend.ts';
import { drained, pairConfig } from './replica-pair.ts';

async function write(proxy: ProxyProcess, lines: string): Promise<[number, string]> {
  const { status, text } = await proxy.request('/write?db=metrics', { body: lines });
  return [status, text];
}

function json(error: string): string {
  return `${JSON.stringify({ error })}\n`;
}

test('what a backend answers to a write', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  // Patient, so that a refusal is not replaced by a spill on a busy machine.
  const patient = pairConfig([a.url, b.url], { spillAfter: 8_000 });
  const { _default_: pair = [] } = patient.keymaps;
  const proxy = await startProxy(t, { ...patient, keymaps: { _default_: pair, alone: ['b'] } });
  await drained(proxy);

  await t.test('any failure is for later: the points are kept and delivered', async () => {
    const check = async (failure: Step, line: string): Promise<void> => {
      const [beforeA, beforeB] = [a.writes.length, b.writes.length];
      b.answer(failure, 204);
      assert.deepEqual(await write(proxy, line), [204, ''], line);
      await drained(proxy);
      const attempts = b.writes.slice(beforeB);
      assert.ok(
        attempts.length >= 1 && attempts.length <= 2,
        `${line}: ${attempts.length} attempts`,
      );
      assert.equal(attempts.at(-1), `${line}\n`);
      assert.deepEqual(a.writes.slice(beforeA), [`${line}\n`]);
    };
    await check(503, 'm v=1 1');
    await check({ status: 500, body: json('timeout') }, 'm v=2 1');
    await check({ status: 429, body: json('slow down') }, 'm v=3 1');
    await check(408, 'm v=4 1');
    await check({ status: 401, body: json('authorization failed') }, 'm v=5 1');
    await check({ status: 403, body: json('"u" user is not authorized') }, 'm v=6 1');
    await check({ status: 404, body: json('database not found: "stored"') }, 'm v=7 1');
    await check({ status: 404, body: '404 page not found\n' }, 'm v=8 1');
    await check({ status: 302, headers: { Location: '/elsewhere' } }, 'm v=9 1');
    await check({ status: 200, body: '<html>a portal</html>' }, 'm v=10 1');
    await check({ status: 502, body: '<html>a load balancer</html>' }, 'm v=11 1');

    // Broken connections and answers
    await check('reset', 'm v=12 1');
    await check('reset early', 'm v=13 1');
    await check({ raw: '' }, 'm v=14 1');
    await check({ raw: 'HTTP/1.1 20' }, 'm v=15 1');
    await check({ raw: 'no HTTP at all' }, 'm v=16 1');
    await check({ raw: 'HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{"err' }, 'm v=17 1');
    await check({ status: 400, body: ['{"error":', '"cut'], then: 'reset' }, 'm v=18 1');
  });

  await t.test('a refusal is told to the client and not repeated', async () => {
    const check = async (refusal: Step, status: number, text: string): Promise<void> => {
      const before = b.writes.length;
      b.answer(refusal);
      assert.deepEqual(await write(proxy, 'alone v=1 1'), [status, text]);
      b.answer(204);
      assert.equal(b.writes.length, before + 1, text);
      await drained(proxy);
    };
    await check(
      { status: 400, body: json('partial write: x dropped=1') },
      400,
      json('partial write: x dropped=1'),
    );
    await check(
      { status: 422, body: json('later kinds say this') },
      422,
      json('later kinds say this'),
    );
    await check({ status: 400, body: 'plain text\n' }, 400, json('plain text'));
    await check(400, 400, json(''));
    const unknown = json('retention policy not found: x');
    await check({ status: 500, body: unknown }, 500, unknown);

    // influxd up to 1.8 copies raw bytes of a line into a header, which no strict parser takes.
    const raw = Buffer.from(
      'HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: a\x01\xff\r\nContent-Length: 0\r\n\r\n',
      'latin1',
    );
    const words =
      'partial write: the points hold bytes that the server refused and could not report';
    await check({ raw }, 400, json(words));
  });

  await t.test('a body that is too large is halved until it fits', async () => {
    const limit: Handler = ({ rawBody, body }) =>
      Math.max(rawBody.length, body.length) > 100
        ? { status: 413, body: json('Request Entity Too Large') }
        : 204;
    const before = b.writes.length;
    b.answer(limit);
    const lines = Array.from({ length: 40 }, (_, index) => `alone v=${index} ${index}\n`);
    assert.deepEqual(await write(proxy, lines.join('')), [204, '']);
    const taken = b.writes.slice(before).filter((body) => body.length <= 100);
    assert.equal(taken.join(''), lines.join(''), 'each line once, in order');

    const long = `alone s="${'x'.repeat(200)}" 2`;
    const answer = await write(proxy, `alone v=1 1\n${long}\nalone v=3 3`);
    assert.deepEqual(answer, [413, json('Request Entity Too Large')]);
    const last = b.writes.slice(before).filter((body) => body.length <= 100);
    assert.equal(last.slice(taken.length).join(''), 'alone v=1 1\nalone v=3 3\n');
    b.answer(204);
  });

  await t.test('Retry-After is honoured', async () => {
    const times: number[] = [];
    const note: Handler = () => {
      times.push(performance.now());
      return times.length === 1 ? { status: 503, headers: { 'Retry-After': '1' } } : 204;
    };
    b.answer(note);
    assert.deepEqual(await write(proxy, 'm v=1 1'), [204, '']);
    await drained(proxy);
    const [first = 0, second = 0] = times;
    assert.equal(times.length, 2);
    assert.ok(second - first >= 990, `tried again after ${second - first} ms`);
  });

  await t.test('a Retry-After beyond any timer is no reason for a hot loop', async () => {
    b.answer({ status: 503, headers: { 'Retry-After': '99999999' } });
    const before = b.writes.length;
    for (let writes = 0; writes < 20; writes++) await write(proxy, `m v=${writes} 1`);
    const attempts = b.writes.length - before;
    assert.ok(attempts <= 2, `${attempts} attempts`);
  });
});

test('a backend that answers 503 for a while is asked seldom (D6)', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t, 503)];
  const proxy = await startProxy(t, pairConfig([a.url, b.url], { rewriteInterval: 400 }));
  const start = performance.now();
  for (let writes = 0; performance.now() - start < 2_000; writes++) {
    assert.deepEqual(await write(proxy, `m v=${writes} 1`), [204, '']);
  }
  const attempts = b.writes.length;
  const elapsedMs = performance.now() - start;
  // Pauses of 100, 200, 400, 400, ... milliseconds, each at least half as long.
  assert.ok(attempts <= 4 + elapsedMs / 200, `${attempts} attempts in ${elapsedMs} ms`);
  await b.received(3);
  b.answer(204);
  await drained(proxy);
});
