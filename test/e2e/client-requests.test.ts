import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CleanupStack } from '../support/cleanup.ts';
import type { HttpRequest } from '../support/http-client.ts';
import { rawExchange } from '../support/raw-exchange.ts';
import { startForClients } from './client-setup.ts';
import { FORM } from './query-client.ts';

// Requests as they were recorded from programs that are not here, to the proxy and to a server alone.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { proxy, single, write, assertSameAnswer, assertStored } = await startForClients(cleanup);
await write(['weather,host=a v=1.5,n=9007199254740993i 1000', 'weather,host=b v=2 2000']);

const CREATED = '{"results":[{"statement_id":0}]}\n';

test('each way to create the database that is there', async () => {
  const agents = { Telegraf: 'Telegraf/1.30.0 Go/1.22.0', Go: 'InfluxDBClient' };
  const check = async (target: string, options: HttpRequest = {}): Promise<void> => {
    assert.equal(await assertSameAnswer(target, options), CREATED, target);
  };
  const url = '/query?q=CREATE+DATABASE+%22metrics%22';

  // Telegraf
  const form = { 'Content-Type': FORM, 'User-Agent': agents.Telegraf };
  await check('/query', { headers: form, body: 'q=CREATE+DATABASE+%22metrics%22' });
  await check('/query?u=x&p=y', { headers: form, body: 'q=CREATE+DATABASE+%22metrics%22' });

  // Go clients, k6, libraries for Python and Java
  await check(`${url}&db=&params=null`, {
    method: 'POST',
    headers: { 'Content-Type': '', 'User-Agent': agents.Go },
  });
  await check('/query?db=metrics&params=%7B%7D&q=CREATE+DATABASE+metrics', { method: 'POST' });
  await check('/query?epoch=ms&q=create%20database%20%22metrics%22%3B', { method: 'POST' });
});

test('Telegraf writes', async () => {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'User-Agent': 'Telegraf/1.30.0 Go/1.22.0',
    Authorization: 'Basic dGVsZWdyYWY6c2VjcmV0',
  };
  const check = async (query: string, body: string, expected: string): Promise<void> => {
    const packed = gzipSync(body);
    const half = Math.floor(packed.length / 2);
    for (const options of [
      { headers, body: [body.slice(0, 3), body.slice(3)] },
      {
        headers: { ...headers, 'Content-Encoding': 'gzip' },
        body: [packed.subarray(0, half), packed.subarray(half)],
      },
    ]) {
      const answer = await assertSameAnswer(`/write?${query}`, options);
      assert.ok(expected === '' ? answer === '' : answer.includes(expected), answer);
    }
  };

  await check('db=metrics', 'cpu,cpu=cpu0,host=h usage_idle=99.5 1700000000000000000\n', '');
  await check('db=metrics&rp=autogen&consistency=any', 'mem,host=h used=1i 1\n', '');
  await check(
    'db=metrics',
    'cpu,host=h usage_idle="text" 1700000000000000001\n',
    'field type conflict',
  );
  await check('db=metrics', 'cpu usage_idle= 1\n', 'unable to parse');
  await check('db=nope', 'cpu v=1 1\n', 'database not found');
  await check('db=metrics&rp=nope', 'cpu v=1 1\n', 'retention policy not found');
});

test('clients that name everything, or nothing', async () => {
  const q = encodeURIComponent('SELECT n FROM weather');
  const check = async (target: string, options: HttpRequest = {}): Promise<void> => {
    const answer = await assertSameAnswer(target, options);
    assert.ok(answer.includes('9007199254740993'), answer);
  };
  const post = { method: 'POST' };

  // The Go client
  await check(`/query?chunked=true&db=metrics&epoch=ns&params=null&q=${q}&rp=`, {
    ...post,
    headers: { 'Content-Type': '', 'User-Agent': 'InfluxDBClient' },
  });
  // The shell
  await check(`/query?chunked=true&db=metrics&epoch=ns&q=${q}`, {
    ...post,
    headers: { 'Accept-Encoding': 'identity', 'User-Agent': 'InfluxDBShell/1.6.7' },
  });
  // Chronograf: a type of body, and no body
  await check(`/query?q=${q}&db=metrics&rp=&epoch=ms`, {
    ...post,
    headers: { 'Content-Type': 'application/json', 'User-Agent': 'Chronograf/1.10' },
  });
  // node-influx
  await check(`/query?db=metrics&epoch=&q=${q}&rp=&params=%7B%7D&u=root&p=root`);
  // influxdb-java
  await check(`/query?db=metrics&epoch=n&q=${q}`, { ...post, body: '' });
  // influxdb-python: a compressed body that is not there, and an answer in whatever form it comes
  await check(`/query?q=${q}&db=metrics`, {
    headers: {
      ...{ 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' },
      ...{ Accept: 'application/json', Authorization: 'Basic cm9vdDpyb290' },
    },
  });
});

test('writes of other clients', async () => {
  const check = async (query: string, options: HttpRequest): Promise<void> => {
    assert.equal(await assertSameAnswer(`/write?${query}`, options), '', query);
  };

  await check('consistency=all&db=metrics&precision=ns&rp=', {
    headers: { 'Content-Type': '' },
    body: 'shell v=1 1\n',
  });
  await check('db=metrics&rp=autogen&precision=n&consistency=one&u=root&p=root', {
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    body: 'java v=1 1',
  });
  await check('consistency&db=metrics&rp&p=x&u=y&precision=ns', { body: 'vector v=1 1\n' });
  await check('db=metrics&precision=ms', { body: 'home v=1 1\nhome v=2 2\n' });

  // Home Assistant starts with a write of nothing, which must succeed.
  for (const body of ['\n', '', '\n\n', ' \n', '# nothing\n']) {
    await check('db=metrics&precision=ns', { method: 'POST', body });
  }
});

test('Icinga: HTTP/1.0, credentials in the URL, no last newline', async () => {
  const body = 'icinga,host=my\\ host,quote=\\"q\\" v=1.5,s="a, b" 1600000000';
  const head = [
    'POST /write?db=metrics&precision=s&u=icinga&p=secret HTTP/1.0',
    'Accept: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  for (const { url } of [proxy, single]) {
    const received = await rawExchange(url, `${head.join('\r\n')}\r\n\r\n${body}`);
    assert.match(received, /^HTTP\/1\.[01] 204 No Content\r\n/);
  }
  await assertStored('icinga', 1);
});
