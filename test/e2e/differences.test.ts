import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { httpRequest, type HttpRequest } from '../support/http-client.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { startBoth } from './both.ts';
import { FORM } from './query-client.ts';

// Each known difference between the protocol of influxd 1.6.7 and that of the proxy, with its reason.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { influxd, proxy } = await startBoth(cleanup);

const SELECT_V = encodeURIComponent('SELECT v FROM m');
const JSON_TYPE = 'application/json';

/** What one of both must say; `part`: of the body. */
type Seen = readonly [status: number, type: string, part: string];

async function assertDiffers(
  target: string,
  options: HttpRequest,
  expected: { readonly own: Seen; readonly direct: Seen },
): Promise<void> {
  for (const [url, [status, type, part]] of [
    [proxy.url, expected.own],
    [influxd.url, expected.direct],
  ] as const) {
    const answer = await httpRequest(`${url}${target}`, options);
    const what = `${url}${target}: ${answer.text}`;
    assert.deepEqual([answer.status, answer.headers['content-type']], [status, type], what);
    assert.ok(answer.text.includes(part), what);
  }
}

test('what the proxy says itself is JSON, whatever the client accepts: every client reads that', async () => {
  for (const [accept, type] of [
    ['text/csv', 'text/csv'],
    ['application/csv', 'text/csv'],
    ['application/x-msgpack', 'application/x-msgpack'],
  ] as const) {
    const headers = { Accept: accept };
    await assertDiffers(
      '/query?db=db&q=SELEC',
      { headers },
      { own: [400, JSON_TYPE, '{"error":"error parsing'], direct: [400, type, 'error parsing'] },
    );
    await assertDiffers(
      '/query?db=db&q=%3B',
      { headers },
      { own: [200, JSON_TYPE, '{}\n'], direct: [200, type, ''] },
    );
    await assertDiffers(
      `/query?db=db&q=${SELECT_V}&async=true`,
      { headers },
      { own: [204, JSON_TYPE, ''], direct: [204, type, ''] },
    );
  }
});

test('such an answer is not compressed: it is a line', async () => {
  for (const [url, encoding] of [
    [proxy.url, undefined],
    [influxd.url, 'gzip'],
  ] as const) {
    const headers = { 'Accept-Encoding': 'gzip' };
    const answer = await httpRequest(`${url}/query?db=nope&q=${SELECT_V}`, { headers });
    assert.equal(answer.headers['content-encoding'], encoding);
  }
});

test('a query with NUL is refused: influxd reads over it, others end there', async () => {
  await assertDiffers(
    '/query?db=db&q=%00',
    {},
    { own: [400, JSON_TYPE, 'query holds a NUL'], direct: [200, JSON_TYPE, '{}\n'] },
  );
});

test('params are one JSON value, with nothing behind it that others might read', async () => {
  await assertDiffers(
    `/query?db=db&q=${SELECT_V}&params={}x`,
    {},
    {
      own: [400, JSON_TYPE, '{"error":"error parsing query parameters: '],
      direct: [200, JSON_TYPE, '"columns":["time","v"]'],
    },
  );
});

test('no warning comes with a change that was asked for by GET', async () => {
  for (const q of ['CREATE DATABASE db', 'DROP SERIES FROM nothing']) {
    await assertDiffers(
      `/query?db=db&q=${encodeURIComponent(q)}`,
      {},
      {
        own: [200, JSON_TYPE, '{"results":[{"statement_id":0}]}\n'],
        direct: [200, JSON_TYPE, '"level":"warning"'],
      },
    );
  }
});

test('a form that is too large is an error, not a form that is not there', async (t) => {
  const headers = { 'Content-Type': FORM };
  // Kept alive, so that what is left of the body is read, and not met by the end of the connection.
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
  });
  await assertDiffers(
    '/query?db=db',
    { agent, headers, body: `q=${SELECT_V}`.padEnd(10 * 1024 * 1024 + 1, '+') },
    {
      own: [413, JSON_TYPE, '{"error":"Request Entity Too Large"}\n'],
      direct: [400, JSON_TYPE, 'missing required parameter'],
    },
  );
});

test('an unknown precision is refused, as by 1.11, instead of taken for nanoseconds', async () => {
  await assertDiffers(
    '/write?db=db&precision=us',
    { body: 'm,h=a v=1 1' },
    { own: [400, JSON_TYPE, 'invalid precision'], direct: [204, JSON_TYPE, ''] },
  );
});

test('the header of an error is visible text, not the bytes of the client', async () => {
  const ask = (url: string) => httpRequest(`${url}/query?db=db&q=%ff`);
  const [own, direct] = await Promise.all([ask(proxy.url), ask(influxd.url)]);
  // The same text: Go escapes U+FFFD only where it stands for a byte, which is not known here any more.
  assert.deepEqual(JSON.parse(own.text), JSON.parse(direct.text));
  assert.match(
    String(own.headers['x-influxdb-error']),
    /^error parsing query: found \?, expected /,
  );
  assert.match(String(direct.headers['x-influxdb-error']), /^error parsing query: found [^?]/);
});

test('a URL is ASCII: Node reads no other, and every client escapes the rest', async () => {
  const target = '/query?db=db&q=SELECT+v+FROM+%22\xc3\xa4%22';
  const bytes = Buffer.from(
    `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    'latin1',
  );
  assert.match(await rawExchange(proxy.url, bytes), /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(await rawExchange(influxd.url, bytes), /^HTTP\/1\.1 200 OK\r\n/);
});

test('a request id is given back where there is no route too', async () => {
  for (const [target, status] of [
    ['/nowhere', 404],
    ['/query', 405],
  ] as const) {
    for (const [url, id] of [
      [proxy.url, 'id'],
      [influxd.url, undefined],
    ] as const) {
      const options = { method: 'PATCH', headers: { 'X-Request-Id': 'id' } };
      const answer = await httpRequest(`${url}${target}`, options);
      assert.deepEqual([answer.status, answer.headers['x-request-id']], [status, id]);
    }
  }
});
