import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { CleanupStack } from '../support/cleanup.ts';
import { httpRequest } from '../support/http-client.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { type Ask, ask, FORM, shownAnswer, type Way } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// What clients ask through the proxy and what one of the servers answers to the same must be equal, byte by byte.

const cleanup = new CleanupStack();
after(() => cleanup.run());

// Each server knows the database under another name.
const [east, west] = await Promise.all([startInfluxd(cleanup), startInfluxd(cleanup)]);
await Promise.all([east.createDatabase('east db'), west.createDatabase("west's db")]);
for (const [server, db] of [
  [east, 'east db'],
  [west, "west's db"],
] as const) {
  await server.query('', `CREATE RETENTION POLICY "long" ON "${db}" DURATION INF REPLICATION 1`);
}
const proxy = await startProxy(cleanup, {
  proxy: { db: 'metrics' },
  backends: {
    east: { url: east.url, db: 'east db', checkInterval: 100, ...PATIENT },
    west: { url: west.url, db: "west's db", checkInterval: 100, ...PATIENT },
  },
  keymaps: { _default_: ['east', 'west'], 'only west': ['west'] },
});
await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));

const LINES = [
  'cpu,host=a,dc=x usage=1.5,n=9007199254740993i,ok=true,note="a <b> & \\"c\\"" 1000000000',
  'cpu,host=b,dc=x usage=2.5,n=-1i,ok=false 2000000000',
  'cpu,host=a usage=1e21 3000000001',
  'a\\ b\\,c,t\\ g=ä v=1 1000',
  'from,select=where group="by" 1000',
  'only\\ west v=7 1000',
  ...Array.from({ length: 50 }, (_, index) => `many,host=h${index % 3} v=${index} ${index}`),
];
for (const rp of ['', 'long']) {
  const url = `/write?db=metrics&rp=${rp}`;
  const answer = await proxy.request(url, { body: LINES.join('\n') });
  assert.equal(answer.status, 204, answer.text);
}

const WAYS: readonly Way[] = ['GET', 'POST', 'form'];

/** `direct`: the same statement with the database's name on the server. */
async function assertSame(q: string, options: Ask = {}, direct = q): Promise<string> {
  const throughProxy = await ask(proxy.url, 'metrics', q, options);
  const expected = await ask(east.url, 'east db', direct, options);
  const what = `${q} ${JSON.stringify(options)}`;
  assert.deepEqual(shownAnswer(throughProxy), shownAnswer(expected), what);
  return throughProxy.text;
}

test('every kind of allowed statement is answered as the server answers it', async () => {
  const check = async (q: string, part: string): Promise<void> => {
    for (const way of WAYS) {
      const text = await assertSame(q, { way });
      assert.ok(text.includes(part), `${q}: ${text}`);
    }
  };

  await check('SELECT * FROM cpu', '9007199254740993');
  await check('SELECT usage FROM cpu', '1e+21');
  await check('SELECT note FROM cpu', '\\u003cb\\u003e \\u0026');
  await check(
    'SELECT mean(usage) FROM cpu WHERE time < 10s GROUP BY time(1s), host fill(0)',
    '2.5',
  );
  await check("SELECT * FROM long.cpu WHERE dc = 'x' ORDER BY time DESC LIMIT 1", '"b"');
  await check('SELECT max(usage) FROM (SELECT usage FROM cpu)', '1e+21');
  await check('SELECT * FROM "a b,c"', 'ä');
  await check('SELECT * FROM "from" WHERE "select" = \'where\'', '"by"');
  await check('SELECT v FROM many WHERE host =~ /h[01]/ LIMIT 2 OFFSET 1', '"many"');
  await check('SELECT * FROM nothing', '{"results":[{"statement_id":0}]}');

  await check('SHOW SERIES FROM cpu', 'cpu,dc=x,host=a');
  await check("SHOW SERIES FROM cpu WHERE host = 'b' LIMIT 1", 'host=b');
  await check('SHOW TAG KEYS FROM cpu', '"dc"');
  await check('SHOW TAG VALUES FROM cpu WITH KEY = host', '"host","a"');
  await check("SHOW TAG VALUES FROM cpu WITH KEY IN (dc, host) WHERE host = 'b'", '"dc","x"');
  await check('SHOW FIELD KEYS FROM cpu', '"n","integer"');

  // Not as people write it
  await check('select\tusage\nfrom\r\ncpu', '1e+21');
  await check('/* grafana */ SELECT usage FROM cpu;', '1e+21');
  await check(' ;; SELECT usage FROM cpu -- done', '1e+21');
  await check("SELECT usage FROM cpu WHERE host = 'a;b into'", '{"results":[{"statement_id":0}]}');
  await check(';', '{}');
  await check('-- nothing', '{}');
});

test('errors of the statement and of the request are those of InfluxDB', async () => {
  const check = async (q: string, part: string): Promise<void> => {
    for (const way of WAYS) {
      const text = await assertSame(q, { way });
      assert.ok(text.includes(part), `${q}: ${text}`);
    }
  };

  // The proxy's own parser
  await check('SELEC', 'error parsing query: found SELEC, expected SELECT');
  await check('SELECT * FROM', 'found EOF');
  await check("SELECT * FROM cpu WHERE h = '<&>\u2028' AND", 'found EOF');
  await check('', 'missing required parameter');
  await check('  ', 'missing required parameter');

  // The server's
  await check('SHOW TAG KEYS FROM cpu WITH KEY = h', 'error parsing query: found WITH');
  await check('SELECT nonsense(usage) FROM cpu', 'undefined function');
  await check('SELECT count(usage), usage FROM cpu', 'mixing aggregate');
  await check('SELECT * FROM nopolicy.cpu', 'retention policy not found');
  await check("SELECT * FROM cpu WHERE time > 'yesterday'", 'invalid operation');
  await check('DROP SERIES FROM cpu WHERE time > 0', 'error');
});

test('each parameter that changes an answer is passed on', async () => {
  const q = 'SELECT * FROM cpu';
  for (const way of WAYS) {
    for (const epoch of ['', 'ns', 'n', 'u', 'ms', 's', 'm', 'h', 'bogus']) {
      await assertSame(q, { way, with: { epoch } });
    }
    for (const pretty of ['true', 'false', '1']) await assertSame(q, { way, with: { pretty } });
    for (const rp of ['', 'autogen', 'long', 'nope']) await assertSame(q, { way, with: { rp } });
    for (const chunked of ['true', 'false', '1']) {
      await assertSame('SELECT * FROM many', { way, with: { chunked, chunk_size: '7' } });
    }
    await assertSame(q, { way, with: { params: '{"unused":1}' } });
    await assertSame(q, { way, with: { params: 'null' } });
    await assertSame(q, { way, with: { params: '{}', epoch: '', rp: '', node_id: '1' } });
  }
});

test('a chunked answer keeps its documents apart', async () => {
  const options = { with: { chunked: 'true', chunk_size: '7' } };
  const text = await assertSame('SELECT * FROM many', options);
  assert.equal(text.trimEnd().split('\n').length, 8);
  assert.ok(text.startsWith('{"results":[{"statement_id":0,"series":[{"name":"many"'));
  assert.ok(text.includes('"partial":true'));
});

test('parameters of the statement are bound by the server, exactly', async () => {
  const check = async (q: string, params: string, part: string): Promise<void> => {
    for (const way of WAYS) {
      const text = await assertSame(q, { way, with: { params } });
      assert.ok(text.includes(part), `${q} ${params}: ${text}`);
    }
  };

  await check('SELECT usage FROM cpu WHERE host = $h', '{"h":"b"}', '2.5');
  await check("SELECT usage FROM $m WHERE host = 'b'", '{"m":{"identifier":"cpu"}}', '2.5');
  await check('SELECT $f FROM cpu', '{"f":{"identifier":"n"}}', '9007199254740993');
  await check('SELECT usage FROM cpu WHERE host =~ $r', '{"r":{"regex":"^b"}}', '2.5');
  await check('SELECT usage FROM cpu LIMIT $n', '{"n":1}', '1.5');
  // More digits than a double has: 9007199254740992 would find nothing.
  await check('SELECT n FROM cpu WHERE n = $n', '{"n":9007199254740993}', '9007199254740993');
  await check('SELECT n FROM cpu WHERE n = $n', '{"x":1}', 'missing parameter: n');
});

test('a form beats the URL, but not for pretty', async () => {
  const check = async (url: string, form: string, part: string): Promise<void> => {
    const options = { headers: { 'Content-Type': `${FORM}; charset=utf-8` }, body: form };
    const own = await httpRequest(`${proxy.url}/query?db=metrics&${url}`, options);
    const direct = await httpRequest(`${east.url}/query?db=east+db&${url}`, options);
    assert.deepEqual(shownAnswer(own), shownAnswer(direct), `${url} | ${form}`);
    assert.ok(own.text.includes(part), own.text);
  };

  await check('', 'q=SELECT+usage+FROM+cpu', '"usage"');
  await check('q=SELECT+n+FROM+cpu', 'q=SELECT+usage+FROM+cpu', '"usage"');
  await check('q=SELECT+n+FROM+cpu', 'q=', 'missing required parameter');
  await check('q=SELECT+n+FROM+cpu', 'epoch=s', '"values":[[1,');
  await check('q=SELECT+n+FROM+cpu&epoch=ms', 'epoch=s', '"values":[[1,');
  await check('q=SELECT+n+FROM+cpu&q=SELECT+usage+FROM+cpu', '', '"n"');
  await check('q=SELECT+n+FROM+cpu&pretty=true', 'pretty=false', '    "results"');
  await check('q=SELECT+n+FROM+cpu', 'pretty=true', '{"results":[');
  await check('q=SELECT+n+FROM+cpu&epoch=%zz', '', '"n"');
  await check('q=SELECT+n+FROM+cpu;DROP+SERIES+FROM+cpu', '', 'missing required parameter');
});

test('bodies that are no form are not read', async () => {
  const check = async (type: string | undefined, method: string, part: string): Promise<void> => {
    const body = 'q=SELECT+usage+FROM+cpu';
    const headers = type === undefined ? {} : { 'Content-Type': type };
    const options = { method, headers, body };
    const url = 'q=SELECT+n+FROM+cpu';
    const own = await httpRequest(`${proxy.url}/query?db=metrics&${url}`, options);
    const direct = await httpRequest(`${east.url}/query?db=east+db&${url}`, options);
    assert.deepEqual(shownAnswer(own), shownAnswer(direct), `${method} ${type ?? ''}`);
    assert.ok(own.text.includes(part), own.text);
  };

  await check(FORM, 'POST', '"usage"');
  await check('Application/X-WWW-Form-Urlencoded ;charset=utf-8', 'POST', '"usage"');
  await check(FORM, 'GET', '"n"');
  await check('application/json', 'POST', '"n"');
  await check('application/vnd.influxql', 'POST', '"n"');
  await check('text/plain', 'POST', '"n"');
  await check('', 'POST', '"n"');
  await check(undefined, 'POST', '"n"');
});

test('a form may be empty, chunked, announced, and hold a query longer than a URL', async () => {
  const hosts = Array.from({ length: 9_000 }, (_, index) => `host = 'long-host-name-${index}'`);
  const q = `SELECT usage FROM cpu WHERE host = 'b' OR ${hosts.join(' OR ')}`;
  assert.ok(q.length > 256 * 1024, `${q.length}`);
  const tooLong = await ask(proxy.url, 'metrics', q, { way: 'form' });
  assert.equal(tooLong.text, '{"error":"error parsing query: query is too long"}\n');

  const fitting = `SELECT usage FROM cpu WHERE host =~ /b|${'x'.repeat(250_000)}/`;
  await assertSame(fitting, { way: 'form' });

  const pieces = ['q=SELECT+us', 'age+FROM+cpu'];
  const url = `${proxy.url}/query?db=metrics`;
  const form = { 'Content-Type': FORM };
  const chunked = await httpRequest(url, { headers: form, body: pieces });
  assert.ok(chunked.text.includes('1e+21'), chunked.text);
  const announced = await httpRequest(url, {
    headers: { ...form, Expect: '100-continue' },
    body: pieces.join(''),
  });
  assert.equal(announced.continued, true);
  assert.equal(announced.text, chunked.text);
});

test('CSV and msgpack come as the server makes them', async () => {
  const check = async (accept: string, type: string): Promise<void> => {
    const answer = await ask(proxy.url, 'metrics', 'SELECT * FROM cpu', { headers: { accept } });
    assert.equal(answer.headers['content-type'], type, accept);
    await assertSame('SELECT * FROM cpu', { headers: { accept } });
    await assertSame('SELECT * FROM nopolicy.cpu', { headers: { accept } });
  };

  await check('application/csv', 'text/csv');
  await check('text/csv', 'text/csv');
  await check('application/x-msgpack', 'application/x-msgpack');
  await check('application/json', 'application/json');
  await check('*/*', 'application/json');
});

test('an answer is compressed if the client asks for it, and only then', async () => {
  const q = 'SELECT * FROM many';
  const plain = await ask(proxy.url, 'metrics', q);
  assert.equal(plain.headers['content-encoding'], undefined);
  for (const accepted of ['gzip', 'deflate, gzip;q=1.0', 'gzip, deflate, br']) {
    const headers = { 'accept-encoding': accepted };
    const packed = await ask(proxy.url, 'metrics', q, { headers });
    assert.equal(packed.headers['content-encoding'], 'gzip', accepted);
    assert.equal(gunzipSync(packed.body).toString(), plain.text);
    const failed = await ask(proxy.url, 'metrics', 'SELECT * FROM nopolicy.cpu', { headers });
    assert.equal(gunzipSync(failed.body).toString().includes('nopolicy'), true);
    const refused = await ask(proxy.url, 'metrics', 'SELEC', { headers });
    assert.equal(refused.headers['content-encoding'], undefined);
  }
  for (const accepted of ['deflate', 'identity', 'br']) {
    const headers = { 'accept-encoding': accepted };
    const answer = await ask(proxy.url, 'metrics', q, { headers });
    assert.equal(answer.headers['content-encoding'], undefined, accepted);
    assert.equal(answer.text, plain.text);
  }
});

test('the name of the database is that of the proxy, whatever the servers call it', async () => {
  const check = async (q: string, direct: string): Promise<void> => {
    const text = await assertSame(q, {}, direct);
    assert.ok(text.includes('cpu') && !text.includes('error'), `${q}: ${text}`);
  };

  await check('SELECT * FROM metrics..cpu', 'SELECT * FROM "east db"..cpu');
  await check('SELECT * FROM "metrics"."long"."cpu"', 'SELECT * FROM "east db"."long"."cpu"');
  await check('SELECT * FROM metrics.autogen.cpu', 'SELECT * FROM "east db".autogen.cpu');
  await check(
    'SELECT n FROM (SELECT n FROM metrics..cpu)',
    'SELECT n FROM (SELECT n FROM "east db"..cpu)',
  );
  await check('SHOW SERIES ON metrics FROM cpu', 'SHOW SERIES ON "east db" FROM cpu');
  await check('SHOW TAG KEYS ON "metrics"FROM cpu', 'SHOW TAG KEYS ON "east db" FROM cpu');
  await check(
    'SHOW TAG VALUES ON metrics FROM cpu WITH KEY = host',
    'SHOW TAG VALUES ON "east db" FROM cpu WITH KEY = host',
  );
  await check(
    'SHOW FIELD KEYS ON metrics FROM metrics.long.cpu',
    'SHOW FIELD KEYS ON "east db" FROM "east db".long.cpu',
  );

  const params = '{"d":{"identifier":"metrics"}}';
  const bound = await ask(proxy.url, 'metrics', 'SHOW SERIES ON$d FROM cpu', { with: { params } });
  assert.ok(bound.text.includes('cpu,dc=x,host=a'), bound.text);

  // Of a measurement that only the other server holds.
  const other = await ask(proxy.url, 'metrics', 'SELECT * FROM metrics.."only west"');
  assert.ok(other.text.includes('"only west"') && other.text.includes(',7]'), other.text);
  assert.equal((await east.rows('east db', 'only west')).length, 0);

  // The servers' own names are no names here.
  const server = await ask(proxy.url, 'metrics', 'SELECT * FROM "east db"..cpu');
  assert.equal(server.status, 400);
  assert.ok(server.text.includes('east db'), server.text);
});

test('a request that names no database, or another one, gets the words of InfluxDB', async () => {
  const check = async (db: string, error: string): Promise<void> => {
    const answer = await ask(proxy.url, db, 'SELECT * FROM cpu');
    assert.equal(answer.status, 200);
    assert.deepEqual(JSON.parse(answer.text), { results: [{ statement_id: 0, error }] });
    const direct = await ask(east.url, db, 'SELECT * FROM cpu');
    assert.equal(answer.text, direct.text);
  };

  await check('', 'database name required');
  await check('nope', 'database not found: nope');
  await check('METRICS', 'database not found: METRICS');
});
