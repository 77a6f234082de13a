import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { ask, FORM } from './query-client.ts';
import { REFUSED, WITH_PARAMS } from './refused-statements.ts';

// No statement that the proxy does not support reaches a server, whatever it looks like and however it is sent.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const recorder = await scriptedBackend(cleanup);
const recorded = await startProxy(cleanup, {
  proxy: { db: 'ok', interval: 0 },
  backends: { recorder: { url: recorder.url, db: 'ok' } },
  keymaps: { _default_: ['recorder'] },
});
await recorded.waitFor(({ backends }) => backends['recorder']?.up === true);

interface Case {
  readonly id: string;
  readonly q: string;
}

const FIXTURES = path.resolve(import.meta.dirname, '../../../test/fixtures/influxql');
/** Queries that got past the filters of older proxies. */
const bypass = readFileSync(path.join(FIXTURES, 'bypass.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

/** Of those: statements about the own database that only read, or delete from it. The rest must be refused. */
const HARMLESS = new Set(
  (
    'B06 B18 B19 B20 B21 B22 B29 L11 L12 L13 L14 P01 P02 P03 ' +
    'M01 M02 M03 M04 M05 M06 M07 M08 M09 M11 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22 M23'
  ).split(' '),
);
const dangerous = bypass.filter(({ id }) => !HARMLESS.has(id)).map(({ q }) => q);

async function assertRefused(
  url: string,
  q: string,
  more: Record<string, string> = {},
): Promise<void> {
  for (const way of ['GET', 'POST', 'form'] as const) {
    const answer = await ask(url, 'ok', q, { way, with: more });
    const what = `${way} ${JSON.stringify(q)}: ${answer.status} ${answer.text}`;
    assert.equal(answer.status, 400, what);
    assert.equal(answer.headers['content-type'], 'application/json', what);
    assert.match(
      answer.text,
      /^\{"error":"(error parsing query|influx-proxy refuses this query): .+"\}\n$/,
      what,
    );
    assert.ok(answer.headers['x-influxdb-error'], what);
  }
}

function assertNothingSent(): void {
  const sent = recorder.requests.map(({ body }) => body);
  assert.deepEqual(sent, []);
}

test('Q1 Q2 Q4 Q5 Q6 Q7 Q8 Q18: what got past older proxies is refused, and harmless look-alikes are not', async () => {
  assert.ok(dangerous.length >= 43, `${dangerous.length}`);
  for (const q of dangerous) await assertRefused(recorded.url, q);
  assertNothingSent();

  for (const { id, q } of bypass.filter((one) => HARMLESS.has(one.id))) {
    const answer = await ask(recorded.url, 'ok', q);
    assert.equal(answer.status, 200, `${id} ${answer.text}`);
    const sent = recorder.requests.splice(0).map(({ parameters }) => parameters.get('q'));
    // The client's own text, without what separates or surrounds statements.
    const statement = q.replace(/^(\/\*.*?\*\/\s*)|;?( -- done)?$/g, '');
    // A server that shows no measurement may have no database.
    const check = id === 'M23' ? ['SHOW RETENTION POLICIES'] : [];
    assert.deepEqual(sent, id === 'P01' ? [] : [statement, ...check], id);
  }
});

test('each statement that is not supported is refused, in any dress', async () => {
  assert.ok(REFUSED.length >= 120, `${REFUSED.length}`);
  for (const q of REFUSED) await assertRefused(recorded.url, q);
  assertNothingSent();
});

test('parameters cannot smuggle in what the text does not show', async () => {
  for (const { q, params } of WITH_PARAMS) await assertRefused(recorded.url, q, { params });
  assertNothingSent();
});

test('neither doubled parameters nor broken ones reach a server', async () => {
  const check = async (query: string, body?: string): Promise<void> => {
    const options = body === undefined ? {} : { headers: { 'Content-Type': FORM }, body };
    const answer = await recorded.request(`/query?${query}`, options);
    assert.equal(answer.status, 400, `${query} ${body ?? ''}: ${answer.text}`);
    assert.ok(answer.text.startsWith('{"error":"'), answer.text);
  };
  const drop = 'DROP+DATABASE+ok';
  const read = 'SELECT+v+FROM+m';

  await check(`db=ok&q=${drop}&q=${read}`);
  await check(`db=ok&q=${read}`, `q=${drop}`);
  await check(`db=ok&q=${read};${drop}`);
  await check(`db=ok&q=${read}&params=${drop}`);
  await check(`db=ok&q=${read}&params=[]`);
  await check(`db=ok&q=${read}&params={}{"m":1}`);
  await check(`db=ok&q=${read}&params=%00`);
  await check(`db=ok&Q=${read}`);
  await check(`db=ok&q=${read}%`);
  await check('db=ok', 'q=%');
  assertNothingSent();

  // Parameters that mean something else to a server than to the proxy are not passed on.
  const more = 'async=1&node_id=1&u=admin&p=secret&db=other&q=x&precision=s&consistency=all&x=y';
  const answer = await recorded.request(`/query?db=ok&q=${read}&${more}`);
  assert.equal(answer.status, 200);
  const [sent] = recorder.requests.splice(0);
  assert.equal(sent?.parameters.toString(), 'q=SELECT+v+FROM+m&db=ok');
});

test('a query that was read before is not taken for another one', async () => {
  const q = 'SELECT v FROM m';
  const named = 'SHOW TAG KEYS ON $d';
  const naming = (value: string): string => JSON.stringify({ d: { identifier: value } });
  for (let times = 0; times < 2; times++) {
    assert.equal((await ask(recorded.url, 'ok', q)).status, 200);
    assert.match((await ask(recorded.url, 'other', q)).text, /database not found: other/);
    // The same characters in a row.
    await assertRefused(recorded.url, 'ELECT v FROM m', { db: 'okS' });

    const own = await ask(recorded.url, 'ok', named, { with: { params: naming('ok') } });
    assert.equal(own.status, 200, own.text);
    await assertRefused(recorded.url, named, { params: naming('foreign') });
    await assertRefused(recorded.url, named);
    const sent = recorder.requests.splice(0).map(({ parameters }) => parameters.get('q'));
    assert.deepEqual(sent, [q, 'SHOW TAG KEYS ON  "ok"']);
  }
});

test('the credentials and other headers of a client stay with the proxy', async () => {
  const headers = {
    Authorization: 'Basic cm9vdDpyb290',
    Cookie: 'a=b',
    'X-Forwarded-For': '1.2.3.4',
    'Content-Type': FORM,
  };
  const body = 'q=SELECT+v+FROM+m&u=root&p=root';
  assert.equal((await recorded.request('/query?db=ok&u=a&p=b', { headers, body })).status, 200);
  const [sent] = recorder.requests.splice(0);
  assert.deepEqual(Object.keys(sent?.headers ?? {}).sort(), ['connection', 'host']);
  assert.equal(sent?.parameters.toString(), 'q=SELECT+v+FROM+m&db=ok');
});

/** Everything that a statement could have changed. */
async function stateOf(server: Influxd): Promise<unknown[]> {
  const state: unknown[] = [];
  const databases = ['ok', 'secret', 'secretdb', 'victim', 'other'];
  for (const q of ['DATABASES', 'USERS', 'CONTINUOUS QUERIES', 'SUBSCRIPTIONS']) {
    state.push(await server.query('', `SHOW ${q}`));
  }
  for (const db of databases) {
    state.push(await server.query('', `SHOW RETENTION POLICIES ON ${db}`));
    for (const what of ['MEASUREMENTS', 'SERIES', 'FIELD KEYS']) {
      state.push(await server.query(db, `SHOW ${what}`));
    }
    state.push(await server.query(db, 'SELECT * FROM /.*/'));
  }
  return state;
}

test('after all of them the servers are what they were', async () => {
  const servers = await Promise.all([startInfluxd(cleanup), startInfluxd(cleanup)]);
  for (const server of servers) {
    for (const db of ['ok', 'secret', 'secretdb', 'victim', 'other']) {
      await server.createDatabase(db);
      await server.write(db, [
        'cpu,host=a usage=1,idle=2 1',
        'mem v=1 1',
        'm v=1 1',
        'secret usage=1 1',
      ]);
    }
  }
  const before = await Promise.all(servers.map(stateOf));
  const [a, b] = servers;
  const proxy = await startProxy(cleanup, {
    proxy: { db: 'ok', interval: 0 },
    backends: { a: { url: a.url, db: 'ok' }, b: { url: b.url, db: 'ok' } },
    keymaps: { _default_: ['a', 'b'] },
  });
  await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  for (const q of [...dangerous, ...REFUSED]) await assertRefused(proxy.url, q);
  for (const { q, params } of WITH_PARAMS) await assertRefused(proxy.url, q, { params });
  assert.deepEqual(await Promise.all(servers.map(stateOf)), before);
});
