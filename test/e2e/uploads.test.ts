import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startProxy } from '../support/proxy.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { pairConfig } from './replica-pair.ts';

const PING = 'GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

test('uploads', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const limits = {
    maxBodySize: 1_000_000,
    maxInflatedSize: 1_000_000,
    maxInflightBytes: 1_000_000,
  };
  const proxy = await startProxy(t, pairConfig([a.url, b.url], {}, { ...limits, idleTimeout: 2 }));

  await t.test(
    'a refused one is read on, for clients that read nothing before the end',
    async (t) => {
      const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
      const socket = connect(proxy.port, '127.0.0.1').setEncoding('latin1');
      t.after(() => socket.destroy());
      socket.write(
        'POST /write?db=metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      for (let sent = 0; sent < 400; sent++) {
        if (!socket.write(chunk))
          await once(socket, 'drain', { signal: AbortSignal.timeout(30_000) });
      }
      socket.write(`0\r\n\r\n${PING}`);
      let answers = '';
      for await (const text of socket) answers += String(text);
      assert.match(answers, /^HTTP\/1\.1 413 [^]*HTTP\/1\.1 204 /);
    },
  );

  await t.test('a refused one gets its answer also where the connection ends with it', async () => {
    const head = (path: string, bytes: number): string =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;
    const body = Buffer.alloc(4_000_000, 'a');
    for (let attempt = 0; attempt < 10; attempt++) {
      for (const [path, status] of [
        ['/write?db=metrics', 413],
        ['/write?db=other', 404],
        ['/nowhere', 404],
      ] as const) {
        const request = Buffer.concat([Buffer.from(head(path, body.length)), body]);
        const answer = await rawExchange(proxy.url, request);
        assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`, path);
      }
    }
    // The rest of a body that never comes is not waited for.
    const cut = await rawExchange(proxy.url, `${head('/write?db=other', 9)}a`);
    assert.match(cut, /^HTTP\/1\.1 404 [^]*\{"error":"database not found: \\"other\\""\}\n$/);
  });

  await t.test('one that stalls is cut and gives its memory back', async () => {
    const head = 'POST /write?db=metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n';
    assert.equal(await rawExchange(proxy.url, head + 'a'.repeat(800_000)), '');
    const { inflightBytes } = await proxy.meta();
    assert.equal(inflightBytes, 0);
    assert.deepEqual(proxy.logged('request failed'), []);
  });

  await t.test('who is refused instead of told to continue loses the connection', async () => {
    const head =
      'POST /write?db=other HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n';
    const answer = await rawExchange(proxy.url, head);
    assert.match(answer, /^HTTP\/1\.1 404 [^]*\r\nConnection: close\r\n/);
  });

  await t.test('HTTP/1.0 is not told to continue', async () => {
    const head =
      'POST /write?db=metrics HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n';
    assert.match(await rawExchange(proxy.url, `${head}m v=1 1`), /^HTTP\/1\.1 204 /);
  });
});
