import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CleanupStack } from '../support/cleanup.ts';
import type { HttpRequest } from '../support/http-client.ts';
import { startBoth } from './both.ts';
import { FORM } from './query-client.ts';

// Odd requests, as they are, to a real server and through the proxy: status, headers and body must be equal.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const { assertSame } = await startBoth(cleanup);

const SELECT_V = encodeURIComponent('SELECT v FROM m');
const SELECT_H = encodeURIComponent('SELECT v, h FROM m');
const V = '"columns":["time","v"]';
const H = '"columns":["time","v","h"]';
const MISSING = 'missing required parameter';
const MALFORMED = 'error parsing query: found';

test('of the URL, the first of two values counts, and what cannot be decoded does not', async () => {
  const check = (query: string, part: string): Promise<void> => assertSame(`/query?${query}`, part);
  const q = `q=${SELECT_V}`;

  await check(`db=db&${q}&q=SELEC`, V);
  await check(`db=db&q=&${q}`, MISSING);
  await check(`db=db&q=%zz&${q}`, V);
  await check(`db=db&${q}%`, MISSING);
  await check(`db=db&${q};`, MISSING);
  await check(`db=db;x&${q}`, 'database name required');
  await check(`db=db&x;y&%zz=1&${q}`, V);
  await check(`&&db=db&&${q}&`, V);
  await check(`db=db&Q=${SELECT_V}`, MISSING);
  await check(`Db=db&${q}`, 'database name required');
  await check(`db=db&db=nope&${q}`, V);
  await check(`db=nope&db=db&${q}`, 'database not found: nope');
  await check(`db=db?${q}`, MISSING);
  await check('', MISSING);
  await check('?', MISSING);
});

test('what is blank to Go is no query, and surrounds none', async () => {
  for (const blank of ['', ' ', '\t\n\v\f\r', '\x85', '\xa0', '\u2028', '\u3000']) {
    const text = encodeURIComponent(blank);
    for (const [q, part] of [
      [text, MISSING],
      [`${text}${SELECT_V}${text}`, V],
      [`${text}%3B${text}`, blank === '' ? '{}' : ''],
    ] as const) {
      await assertSame(`/query?db=db&q=${q}`, part);
      const form = { headers: { 'Content-Type': FORM }, body: `q=${q}` };
      await assertSame('/query?db=db', part, form);
    }
  }
  for (const nothing of [';', ' ; ;', '--', '-- x', '/**/', '/* x */ ;', '-- x\n;']) {
    await assertSame(`/query?db=db&q=${encodeURIComponent(nothing)}`, '{}\n');
    await assertSame(`/query?db=db&q=${encodeURIComponent(nothing)}&chunked=true`, '');
  }
});

test('a body is read if it is a form of a POST, and never inflated', async () => {
  const check = async (
    type: string | undefined,
    method: string,
    part: string,
    alone: string,
  ): Promise<void> => {
    const headers = type === undefined ? {} : { 'Content-Type': type };
    const options = { method, headers, body: `q=${SELECT_V}` };
    await assertSame(`/query?db=db&q=${SELECT_H}`, part, options);
    await assertSame('/query?db=db', alone, options);
  };

  await check(FORM, 'POST', V, V);
  await check(` ${FORM.toUpperCase()} ; charset=utf-8`, 'POST', V, V);
  await check(`${FORM};`, 'POST', V, V);
  await check(`${FORM}; charset`, 'POST', V, V);
  await check(FORM, 'GET', H, MISSING);
  for (const type of [
    ...['', 'application/json', 'application/vnd.influxql', 'text/plain', 'nonsense'],
    ...[`${FORM}x`, 'multipart/mixed; boundary=b', 'multipart/form-data'],
    ...['multipart/form-data; boundary=', 'multipart/form-data; boundary=b', undefined],
  ]) {
    for (const method of ['GET', 'POST']) await check(type, method, H, MISSING);
  }

  const coded = { 'Content-Type': FORM, 'Content-Encoding': 'gzip' };
  const q = `q=${SELECT_V}`;
  await assertSame('/query?db=db', MISSING, { headers: coded, body: gzipSync(q) });
  await assertSame(`/query?db=db&${q}`, V, { headers: coded, body: gzipSync(q) });
  await assertSame(`/query?db=db&${q}`, V, { headers: coded, body: '' });
  await assertSame('/query?db=db', V, { headers: coded, body: q });
});

test('an urlencoded form beats the URL in all but pretty', async () => {
  const check = (form: string, part: string): Promise<void> =>
    assertSame(`/query?db=db&rp=&epoch=s&q=${SELECT_H}`, part, {
      headers: { 'Content-Type': FORM },
      body: form,
    });
  const q = `q=${SELECT_V}`;

  await check(q, V);
  await check(`${q}\r\n`, V);
  await check(`\n${q}`, H);
  await check(`${q}&q=SELEC`, V);
  await check('q=', MISSING);
  await check(`q=%zz&${q}`, V);
  await check(`${q};`, H);
  await check('db=nope', 'database not found: nope');
  await check('db=', 'database name required');
  await check('rp=nope', 'retention policy not found');
  await check('epoch=ms', '[2000,2,"b"]');
  await check('epoch=', '"1970-01-01T00:00:02Z"');
  await check('chunked=true&chunk_size=1', '"partial":true');
  await check('pretty=true', H);
  await check('u=a&p=b', H);
  await check('', H);
});

test('of a multipart form the URL beats the values, which beat the files', async () => {
  const part = (disposition: string, content: string): string =>
    `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
  const check = async (url: string, body: string, expected: string): Promise<void> => {
    for (const method of ['POST', 'GET']) {
      const headers = { 'Content-Type': 'multipart/form-data; boundary=b' };
      await assertSame(`/query?db=db${url}`, expected, { method, headers, body });
    }
  };
  const value = part('name="q"', 'SELECT v FROM m');
  const file = part('name="q"; filename="q.txt"', 'SELECT v, h FROM m\n');
  const end = '--b--\r\n';

  await check('', value + end, V);
  await check(`&q=${SELECT_H}`, value + end, H);
  await check('&q=', value + end, MISSING);
  await check('', part('name="q"', ' ') + value + end, MISSING);
  await check('', part('name="q"', 'SELEC') + value + end, MALFORMED);
  await check('', part('name="q"', '\r\n SELECT v FROM m\r\n\u3000') + end, V);
  await check('', part('name=q', 'SELECT v FROM m') + end, V);
  await check('', part('name="q"; filename=""', 'SELECT v FROM m') + end, V);
  await check('', part('name="epoch"', 's') + value + end, '[2,2]');
  await check('&epoch=ms', part('name="epoch"', 's') + value + end, '[2000,2]');
  await check('', part('name="db"', 'nope') + value + end, V);
  await check('', part('name="pretty"', 'true') + value + end, V);
  await check('', part('name="chunked"', 'true') + part('name="chunk_size"', '1') + value + end, V);

  await check('', file + end, H);
  await check('&q=', file + end, H);
  await check('&q=+', file + value + end, H);
  await check('', file + value + end, V);
  await check('', part('name="q"', '') + file + end, H);
  await check(`&q=${SELECT_V}`, file + end, V);
  await check('', part('name="q"; filename="e"', '') + file + end, '{}\n');
  await check('', part('name="q"; filename="e"', ' \n') + end, '{}\n');
  await check('', part('name="q"; filename="e"', 'SELEC') + end, MALFORMED);
  await check('', part('name="Q"; filename="e"', 'SELECT v FROM m') + end, MISSING);
  await check('', part('name="epoch"; filename="e"', 's') + value + end, '"1970');

  // Broken ones count as none.
  await check(`&q=${SELECT_V}`, file, V);
  await check('', value, MISSING);
  await check('', value.replaceAll('--b', '--c') + end, MISSING);
  await check('', 'q=SELECT+v+FROM+m', MISSING);
  await check('', value.repeat(1000) + end, V);
  await check('', value.repeat(1001) + end, MISSING);
});

test('a parameter with an odd value has the effect that it has on the server', async () => {
  const check = (query: string, part: string): Promise<void> =>
    assertSame(`/query?db=db&q=${SELECT_V}&${query}`, part);

  for (const ns of ['ns', 'n', 'us', 'H', 'bogus', '1', '0', 'null', '%20%20ns']) {
    await check(`epoch=${ns}`, '[2000000000,2]');
  }
  await check('epoch=%20ms%20', '[2000,2]');
  await check('epoch=%20', '"1970-01-01T00:00:02Z"');
  for (const pretty of ['True', '1', 'false&pretty=true', '']) await check(`pretty=${pretty}`, V);
  await check('pretty=true', '    "results": [');
  await check('pretty=true&pretty=false', '    "results": [');
  for (const chunked of ['True', '1', '', 'false'])
    await check(`chunked=${chunked}&chunk_size=1`, V);
  for (const size of ['0', '-1', 'x', '1e3', '']) await check(`chunked=true&chunk_size=${size}`, V);
  await check('chunked=true&chunk_size=1', '"partial":true');
  for (const async of ['True', '1', 'false', '']) await check(`async=${async}`, V);
  for (const params of [
    '',
    'null',
    '{}',
    ' {}',
    '{"x":1}',
    '{"x":1.5}',
    '{"x":9007199254740993}',
  ]) {
    await check(`params=${encodeURIComponent(params)}`, V);
  }
  await check('rp=nope', 'retention policy not found');
  await check('rp=&node_id=7&consistency=x&precision=bogus&time_format=x&org=o', V);
});

test('credentials are accepted in every form, and change nothing', async () => {
  for (const authorization of [
    ...['Basic cm9vdDpyb290', 'basic cm9vdDpyb290', 'Basic !!!', 'Bearer x.y.z', 'Token a:b'],
    ...['nonsense', ''],
  ]) {
    const headers = { Authorization: authorization };
    await assertSame(`/query?db=db&q=${SELECT_V}`, V, { headers });
    await assertSame('/ping', '', { headers });
    await assertSame('/write?db=db', '', { headers, body: 'm,h=a v=1 1' });
  }
  for (const login of ['u=a&p=b', 'u=a', 'p=b', 'u=&p=', 'u=root&p=root']) {
    await assertSame(`/query?db=db&q=${SELECT_V}&${login}`, V);
    await assertSame(`/ping?${login}`, '');
    await assertSame(`/write?db=db&${login}`, '', { body: 'm,h=a v=1 1' });
  }
});

test('an answer has the form and the coding that the client accepts', async () => {
  const check = async (headers: Record<string, string>, part: string): Promise<void> => {
    await assertSame(`/query?db=db&q=${SELECT_V}`, part, { headers });
    await assertSame(`/query?db=db&q=${SELECT_V}&pretty=true`, '', { headers });
    await assertSame(`/query?db=db&q=${SELECT_V}&chunked=true&chunk_size=1`, '', { headers });
    await assertSame('/query?db=db&q=SELECT%20nonsense(v)%20FROM%20m', '', { headers });
  };

  await check({ Accept: 'application/csv' }, 'name,tags,time,v\nm,,1,1\n');
  await check({ Accept: 'text/csv' }, 'name,tags,time,v\n');
  await check({ Accept: 'application/x-msgpack' }, 'columns');
  for (const json of ['application/json', '*/*', 'text/csv, */*', 'Text/CSV', '']) {
    await check({ Accept: json }, V);
  }
  for (const coding of ['gzip', 'deflate, gzip;q=1.0', 'gzip;q=0', 'x-gzip']) {
    await check({ 'Accept-Encoding': coding }, '');
    await check({ 'Accept-Encoding': coding, Accept: 'text/csv' }, '');
    await assertSame('/query?db=db&q=SELEC', MALFORMED, { headers: { 'Accept-Encoding': coding } });
  }
  for (const coding of ['identity', 'deflate, br', '*', 'GZIP', '']) {
    await check({ 'Accept-Encoding': coding }, V);
  }
});

test('what the proxy says itself is indented like what the server says', async () => {
  const pretty = 'pretty=true';

  await assertSame(`/query?${pretty}`, '    "error": "missing');
  await assertSame(`/query?db=db&q=SELEC&${pretty}`, '    "error": "error parsing');
  await assertSame(`/query?db=db&q=%3B&${pretty}`, '{}\n');
  await assertSame(`/query?q=${SELECT_V}&${pretty}`, '            "error": "database name');
  await assertSame(`/query?db=nope&q=${SELECT_V}&${pretty}`, '            "error": "database not');
  await assertSame('/query?pretty=1', '{"error":');
  await assertSame('/query?db=db', '{"error":', {
    headers: { 'Content-Type': FORM },
    body: pretty,
  });
  const body = 'm,h=a v=1 1\nbad';
  await assertSame(`/write?${pretty}`, '    "error": "database is', { body });
  await assertSame(`/write?db=db&${pretty}`, '    "error": "partial write', { body });
  await assertSame(`/write?db=nope&${pretty}`, '    "error": "database not', { body });
});

test('an asynchronous query is answered before it has run, unless it cannot be parsed', async () => {
  const check = (query: string, part: string, options: HttpRequest = {}): Promise<void> =>
    assertSame(`/query?async=true&${query}`, part, options);

  await check(`db=db&q=${SELECT_V}`, '');
  await check(`db=db&q=${SELECT_V}`, '', { method: 'POST' });
  await check(`db=db&q=${encodeURIComponent('SELECT nonsense(v) FROM m')}`, '');
  await check(`db=nope&q=${SELECT_V}`, '');
  await check(`q=${SELECT_V}`, '');
  await check('db=db&q=%3B', '');
  await check('db=db&q=SELEC', MALFORMED);
  await check('db=db', MISSING);
  const headers = { 'Content-Type': FORM };
  await check('db=db', '', { headers, body: `q=${SELECT_V}` });
  await check(`db=db&q=${SELECT_V}`, V, { headers, body: 'async=false' });
  await assertSame(`/query?db=db&q=${SELECT_V}`, '', { headers, body: 'async=true' });
});
