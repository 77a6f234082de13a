import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { eventually } from '../support/eventually.ts';
import { type HttpAnswer, type HttpRequest, httpRequest } from '../support/http-client.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { scriptedBackend, type Step } from '../support/scripted-backend.ts';
import { DB, drained, pairConfig } from './replica-pair.ts';

/** Of a body as sent, on the real server and on the proxy. */
const MAX_BODY_BYTES = 2_000;
const GZIP = { 'Content-Encoding': 'gzip' };

function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function broken(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at] = (copy.at(at) ?? 0) ^ 0xff;
  return copy;
}

/** Of the JSON body; empty without one. */
function errorOf({ text }: HttpAnswer): string {
  return text === '' ? '' : (JSON.parse(text) as { error: string }).error;
}

test('a body in any form is answered as InfluxDB answers it', async (t) => {
  const influxd = await startInfluxd(t, {
    settings: { http: { 'max-body-size': MAX_BODY_BYTES } },
  });
  await influxd.createDatabase(DB);
  const backend = await scriptedBackend(t);
  const proxy = await startProxy(t, {
    proxy: { db: DB, interval: 0, maxBodySize: MAX_BODY_BYTES, maxInflatedSize: 100_000 },
    backends: { a: { url: backend.url, db: 'x', spillAfter: 9_000 } },
    keymaps: { _default_: ['a'] },
  });
  await drained(proxy);

  const bothAnswer = async (
    path: string,
    options: HttpRequest,
  ): Promise<[HttpAnswer, HttpAnswer]> =>
    Promise.all([
      httpRequest(`${proxy.url}${path}`, { method: 'POST', ...options }),
      // It repeats raw bytes of a line in a header.
      httpRequest(`${influxd.url}${path}`, {
        method: 'POST',
        insecureHTTPParser: true,
        ...options,
      }),
    ]);
  /** The same status and text as influxd, and `stored` at the backend. */
  const same = async (options: HttpRequest, status: number, stored = ''): Promise<void> => {
    const before = backend.writes.length;
    const [proxied, direct] = await bothAnswer(`/write?db=${DB}`, options);
    const what = JSON.stringify(options).slice(0, 200);
    assert.deepEqual([proxied.status, errorOf(proxied)], [direct.status, errorOf(direct)], what);
    assert.equal(proxied.status, status, what);
    assert.equal(backend.writes.slice(before).join(''), stored, what);
  };
  const line = Buffer.from('m,t=x v=1 1\n');
  const zipped = gzipSync(line);

  await t.test('plain, chunked, gzip', async () => {
    await same({ body: line }, 204, 'm,t=x v=1 1\n');
    await same({ body: chunksOf(line, 1) }, 204, 'm,t=x v=1 1\n');
    await same({ body: zipped, headers: GZIP }, 204, 'm,t=x v=1 1\n');
    await same({ body: chunksOf(zipped, 1), headers: GZIP }, 204, 'm,t=x v=1 1\n');
    const members = Buffer.concat([gzipSync('m v=1 1\nm '), gzipSync('v=2 2\n'), gzipSync('')]);
    await same({ body: members, headers: GZIP }, 204, 'm v=1 1\nm v=2 2\n');
    await same({ body: line, headers: { 'Content-Encoding': 'identity' } }, 204, 'm,t=x v=1 1\n');
  });

  await t.test('nothing to store is stored: 204', async () => {
    await same({ body: '' }, 204);
    await same({}, 204);
    await same({ body: [] }, 204);
    await same({ body: '\n' }, 204);
    await same({ body: ' \n\t\n\n' }, 204);
    await same({ body: '# a comment\n#another' }, 204);
    await same({ body: gzipSync(''), headers: GZIP }, 204);
    await same({ body: gzipSync('\n'), headers: GZIP }, 204);
  });

  await t.test('broken gzip (W13)', async () => {
    await same({ body: '', headers: GZIP }, 400);
    await same({ body: line, headers: GZIP }, 400);
    await same({ body: 'm', headers: GZIP }, 400);
    for (const length of [1, 5, 10, 15, zipped.length - 1]) {
      await same({ body: zipped.subarray(0, length), headers: GZIP }, 400);
    }
    await same({ body: broken(zipped, -1), headers: GZIP }, 400); // length
    await same({ body: broken(zipped, -8), headers: GZIP }, 400); // checksum
    await same({ body: zipped, headers: { 'Content-Encoding': 'GZIP' } }, 400); // taken as text

    // Behind the last member: what a lenient reader would drop without a word
    await same({ body: Buffer.concat([zipped, Buffer.alloc(1)]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, Buffer.alloc(600)]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, line]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, zipped.subarray(0, 1)]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, zipped.subarray(0, 9)]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, zipped.subarray(0, 15)]), headers: GZIP }, 400);
    await same({ body: Buffer.concat([zipped, Buffer.alloc(12, 0x1f)]), headers: GZIP }, 400);
  });

  await t.test('too large (W7)', async () => {
    const row = 'm,t=x v=1 1\n';
    const fits = row.repeat(Math.floor(MAX_BODY_BYTES / row.length));
    const large = row.repeat(Math.ceil(MAX_BODY_BYTES / row.length));
    await same({ body: fits }, 204, fits);
    await same({ body: large }, 413);
    await same({ body: chunksOf(Buffer.from(large), 500) }, 413);
    // Compressed bytes count; the inflated ones have a limit of the proxy's own.
    await same({ body: large, gzip: true }, 204, large);
    const bomb = gzipSync(row.repeat(10_000));
    assert.ok(bomb.length < MAX_BODY_BYTES);
    const answer = await proxy.request(`/write?db=${DB}`, { body: bomb, headers: GZIP });
    const text = '{"error":"Request Entity Too Large"}\n';
    assert.deepEqual([answer.status, answer.text], [413, text]);
    const meta = (await proxy.meta()) as { inflightBytes?: number };
    assert.equal(meta.inflightBytes, 0, 'nothing is kept of a body that was refused');
  });

  await t.test('Expect: 100-continue', async () => {
    const options = { body: line, headers: { Expect: '100-continue' } };
    const [proxied, direct] = await bothAnswer(`/write?db=${DB}`, options);
    assert.deepEqual([proxied.status, proxied.continued], [direct.status, direct.continued]);
    assert.deepEqual([proxied.status, proxied.continued], [204, true]);
    const early = await proxy.request('/write?db=other', options);
    assert.deepEqual([early.status, early.continued], [404, false], 'refused before its body');
  });

  await t.test('HTTP/1.0', async () => {
    const head = `POST /write?db=${DB} HTTP/1.0\r\nContent-Length: ${line.length}\r\n\r\n`;
    const answer = await rawExchange(proxy.url, `${head}${line.toString()}`);
    assert.match(answer, /^HTTP\/1\.[01] 204 /);
    const denied = await rawExchange(proxy.url, `POST /write HTTP/1.0\r\n\r\n`);
    assert.match(denied, /^HTTP\/1\.[01] 400 [^]*\r\n\r\n\{"error":"database is required"\}\n$/);
  });

  await t.test('parameters', async () => {
    const check = async (query: string, status: number): Promise<void> => {
      const [proxied, direct] = await bothAnswer(`/write${query}`, { body: line });
      assert.deepEqual([proxied.status, proxied.text], [direct.status, direct.text], query);
      assert.equal(proxied.status, status, query);
    };
    await check('', 400);
    await check('?db=', 400);
    await check('?db=nope', 404);
    await check(`?db=no"pe`, 404);
    await check(`?db=${DB}&db=nope`, 204);
    for (const level of ['any', 'one', 'quorum', 'all', 'ALL', '']) {
      await check(`?db=${DB}&consistency=${level}`, 204);
    }
    await check(`?db=${DB}&consistency=two`, 400);
    for (const precision of ['', 'n', 'ns', 'u', 'ms', 's', 'm', 'h']) {
      await check(`?db=${DB}&precision=${precision}`, 204);
    }
    await check(`?db=${DB}&u=root&p=root`, 204);

    // Up to 1.8 InfluxDB would store these as nanoseconds; this is what it says from 1.11 on.
    const wrong = await proxy.request(`/write?db=${DB}&precision=us`, { body: line });
    const text = '{"error":"invalid precision \\"us\\" (use n, u, ms, s, m or h)"}\n';
    assert.deepEqual([wrong.status, wrong.text], [400, text]);
  });
});

test('with too many bytes in flight a write is refused, until there is room', async (t) => {
  const backend = await scriptedBackend(t);
  let release: () => void = () => undefined;
  const when = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held: Step = { status: 204, when };
  backend.answer(held);
  const proxy = await startProxy(t, {
    proxy: {
      db: DB,
      interval: 0,
      maxInflatedSize: 4_000,
      maxBodySize: 4_000,
      maxInflightBytes: 4_000,
    },
    backends: { a: { url: backend.url, db: 'x', spillAfter: 9_000, interval: 9_000 } },
    keymaps: { _default_: ['a'] },
  });
  await drained(proxy);
  const body = `m s="${'x'.repeat(900)}" 1\n`;
  const answers: Promise<HttpAnswer>[] = [];
  let isAnswered = false;
  await eventually('a refusal', async () => {
    const answer = proxy.request(`/write?db=${DB}`, { body });
    void answer.then(() => {
      isAnswered = true;
    });
    answers.push(answer);
    await proxy.meta();
    return isAnswered;
  });
  release();
  const all = await Promise.all(answers);
  const refused = all.filter(({ status }) => status !== 204);
  assert.ok(refused.length > 0 && all.length - refused.length >= 2, 'some fit');
  for (const { status, headers, text } of refused) {
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '1');
    assert.doesNotMatch(text, /database not found|partial write|unable to parse|retention/);
  }
  assert.equal((await proxy.request(`/write?db=${DB}`, { body })).status, 204);
});

test('with a full spill a write is refused, and nothing that was taken is dropped (D12)', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const proxy = await startProxy(
    t,
    pairConfig([a.url, b.url], { maxSpillBytes: 20_000, onSpillFull: 'reject' }),
  );
  await drained(proxy);
  await b.down();
  const taken: string[] = [];
  let refused: HttpAnswer | undefined;
  for (let at = 0; refused === undefined; at++) {
    const line = `m v=${at} ${at}\n`;
    const answer = await proxy.request('/write?db=metrics', { body: line });
    if (answer.status === 204) taken.push(line);
    else refused = answer;
    assert.ok(at < 1_000, 'the spill never fills');
  }
  assert.equal(refused.status, 503);
  assert.equal(refused.headers['retry-after'], '1');
  assert.match(refused.text, /"no room left in the spill of b"/);
  assert.equal(a.writes.join(''), taken.join(''), 'what is refused was sent nowhere');

  await b.up();
  await drained(proxy);
  assert.equal(b.writes.join(''), taken.join(''));
  assert.equal((await proxy.request('/write?db=metrics', { body: 'm v=1 1' })).status, 204);
});
