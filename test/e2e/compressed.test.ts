import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { DB, drained, pairConfig } from './replica-pair.ts';

const HEADERS = { 'Content-Encoding': 'gzip' };
const NEWLINE = gzipSync('\n');
const LINES = 'm,t=x v=1 1\n'.repeat(20);

/** The member with a file name in its header. */
function named(member: Buffer, name: string): Buffer {
  const header = Buffer.from(member.subarray(0, 10));
  header.writeUInt8(0x08, 3);
  return Buffer.concat([header, Buffer.from(`${name}\0`), member.subarray(10)]);
}

test('bodies that clients have compressed', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const keymaps = { m: ['a', 'b'], only_a: ['a'] };
  const proxy = await startProxy(t, { ...pairConfig([a.url, b.url]), keymaps });
  await drained(proxy);

  /** What backend b gets of it. */
  const sent = async (body: Buffer): Promise<{ raw: Buffer; text: string }> => {
    const before = b.requests.length;
    const answer = await proxy.request('/write?db=metrics', { body, headers: HEADERS });
    assert.equal(answer.status, 204, answer.text);
    const [request, more] = (await b.received(before + 1)).slice(before);
    assert.ok(request !== undefined && more === undefined);
    assert.deepEqual(a.requests.at(-1)?.rawBody, request.rawBody, 'compressed once for both');
    return { raw: request.rawBody, text: request.body };
  };
  const passes = async (body: Buffer): Promise<void> => {
    const { raw, text } = await sent(body);
    assert.ok(raw.equals(body), 'not as it came');
    assert.equal(text, gunzipSync(body).toString());
  };
  const isMadeAnew = async (body: Buffer, text: string): Promise<void> => {
    const result = await sent(body);
    assert.ok(!result.raw.equals(body), 'as it came');
    assert.equal(result.text, text);
  };

  await t.test('go on as they came when all lines share a route and none changes', async () => {
    await passes(gzipSync(LINES));
    await passes(gzipSync(LINES, { level: 9 }));
    await passes(gzipSync(`m s="${'x y '.repeat(200)}" 1\nm v=2 2\n`));
  });

  await t.test('get the newline that is missing at their end', async () => {
    const body = gzipSync(LINES.trimEnd());
    const { raw, text } = await sent(body);
    assert.ok(raw.equals(Buffer.concat([body, NEWLINE])));
    assert.equal(text, LINES);
  });

  await t.test('are compressed anew when a line is changed or left out', async () => {
    await isMadeAnew(gzipSync(`${LINES}\n`), LINES);
    await isMadeAnew(gzipSync(`# c\n${LINES}`), LINES);
    await isMadeAnew(gzipSync(` ${LINES}`), LINES);
    await isMadeAnew(gzipSync(`${LINES}# ${'c'.repeat(18)}\n`), LINES);
    const stamped = await sent(gzipSync(`m v=1\n# ${'c'.repeat(17)}\n`));
    assert.match(stamped.text, /^m v=1 \d{19}\n$/);
  });

  await t.test('are compressed anew when the lines take two routes', async () => {
    const body = gzipSync(`only_a v=1 1\n${LINES}`);
    const before = b.writes.length;
    const answer = await proxy.request('/write?db=metrics', { body, headers: HEADERS });
    assert.equal(answer.status, 204);
    assert.deepEqual(b.writes.slice(before), [LINES]);
    assert.deepEqual(a.writes.slice(-2).sort(), [LINES, 'only_a v=1 1\n'].sort());
  });

  await t.test('are compressed anew when another server might not read them', async () => {
    await isMadeAnew(named(gzipSync(LINES), 'lines.txt'), LINES);
    await isMadeAnew(Buffer.concat([gzipSync(LINES), gzipSync(LINES)]), LINES + LINES);
  });

  await t.test('are compressed anew when they would need more room than the lines', async () => {
    await isMadeAnew(gzipSync(LINES, { level: 0 }), LINES);
  });

  await t.test('are joined behind an outage', async () => {
    const before = b.writes.length;
    await b.down();
    const bodies = [1, 2, 3].map((at) => `${LINES}m v=${at} ${at}`);
    for (const body of bodies) {
      const options = { body: gzipSync(body), headers: HEADERS };
      assert.equal((await proxy.request('/write?db=metrics', options)).status, 204);
    }
    await b.up();
    await drained(proxy);
    const text = bodies.map((body) => `${body}\n`).join('');
    assert.equal(b.writes.slice(before).join(''), text);
  });
});

test('a backend that wants no gzip gets lines, influxd takes what a client compressed', async (t) => {
  const influxd = await startInfluxd(t);
  await influxd.createDatabase(DB);
  const plain = await scriptedBackend(t);
  const config = pairConfig([influxd.url, plain.url]);
  const { a = {}, b = {} } = config.backends;
  const backends = { a, b: { ...b, gzip: false } };
  const proxy = await startProxy(t, { ...config, backends });
  await drained(proxy);
  const text = `${LINES}m,t=y v=2 2`;
  const options = { body: gzipSync(text), headers: HEADERS };
  assert.equal((await proxy.request('/write?db=metrics', options)).status, 204);
  const [request] = await plain.received(1);
  assert.equal(request?.rawBody.toString(), `${text}\n`);
  assert.equal((await influxd.rows(DB, 'm')).length, 2);
});
