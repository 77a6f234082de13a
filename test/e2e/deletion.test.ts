import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { startInfluxd } from '../support/influxd.ts';
import { startProxy } from '../support/proxy.ts';
import { type Recorded, scriptedBackend } from '../support/scripted-backend.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { ask } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// Statements that change data reach every replica, at once or in their turn.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const servers = await Promise.all([startInfluxd(cleanup), startInfluxd(cleanup)]);
const [a, b] = servers;
await Promise.all([a.createDatabase('one'), b.createDatabase('two')]);
const road = await tcpProxy(cleanup, b.port);
const proxy = await startProxy(cleanup, {
  proxy: { db: 'db' },
  backends: {
    a: { ...PATIENT, url: a.url, db: 'one', checkInterval: 100 },
    b: { ...PATIENT, url: road.url, db: 'two', checkInterval: 100, rewriteInterval: 100 },
  },
  keymaps: { _default_: ['a', 'b'], 'only a': ['a'] },
});

async function whenComplete(): Promise<void> {
  await proxy.waitFor(({ backends }) =>
    Object.values(backends).every(({ up, state }) => up && state === 'complete'),
  );
}

async function write(...lines: readonly string[]): Promise<void> {
  const answer = await proxy.request('/write?db=db', { body: lines.join('\n') });
  assert.equal(answer.status, 204, answer.text);
}

function rows(measurement: string): Promise<[string[], string[]]> {
  return Promise.all([a.rows('one', measurement), b.rows('two', measurement)]);
}

const EMPTY = '{"results":[{"statement_id":0}]}\n';

await whenComplete();

test('Q3: a deletion reaches every replica, in every form and by every way', async () => {
  let count = 0;
  const check = async (pattern: string, left: number): Promise<void> => {
    for (const way of ['GET', 'POST', 'form'] as const) {
      // Each time another one: influxd 1.6.7 deletes too much of one that was written to after a deletion.
      const m = `cpu${count++}`;
      await write(
        'mem v=1 1',
        ...['h=a v=1 1', 'h=a v=2 2', 'h=b v=3 1', 'h=b v=4 2'].map((rest) => `${m},${rest}`),
      );
      const q = pattern.replace('cpu', m);
      const answer = await ask(proxy.url, 'db', q, { way });
      assert.equal(answer.text, EMPTY, q);
      const [onA, onB] = await rows(m);
      assert.equal(onA.length, left, `${way} ${q}`);
      assert.deepEqual(onB, onA, `${way} ${q}`);
    }
  };

  await check('DELETE FROM cpu', 0);
  await check('delete\nfrom\t"cpu"', 0);
  await check("DELETE FROM cpu WHERE h = 'a'", 2);
  await check('DELETE FROM cpu WHERE time < 2', 2);
  await check('DELETE FROM cpu WHERE time > now() - 1h', 4);
  await check("DELETE FROM cpu WHERE time < now() - 1h AND h = 'b'", 2);
  await check('DELETE FROM cpu WHERE now() > time', 0);
  await check('DROP SERIES FROM cpu', 0);
  await check('DROP SERIES FROM cpu WHERE h =~ /^b$/', 2);
  await check('DELETE FROM cpu;', 0);
  await check('DELETE FROM nothing', 4);
  const [onA, onB] = await rows('mem');
  assert.equal(onA.length, 1);
  assert.deepEqual(onB, onA);
});

test('a deletion that both replicas refuse is answered with their words', async () => {
  const answer = await ask(proxy.url, 'db', 'DROP SERIES FROM cpu WHERE time > 0');
  const direct = await ask(a.url, 'one', 'DROP SERIES FROM cpu WHERE time > 0');
  assert.ok(direct.text.includes('error'), direct.text);
  assert.equal(answer.text, direct.text);
});

test('Q20: a deletion is kept on disk for a replica that is away, and brings nothing back', async () => {
  await write('gone v=1 1', 'gone v=2 2');
  await road.cut();
  await proxy.waitFor(({ backends }) => backends['b']?.up === false);
  await write('gone v=3 3');
  for (const q of ['DELETE FROM gone WHERE time <= 2', 'DROP SERIES FROM absent']) {
    assert.equal((await ask(proxy.url, 'db', q, { way: 'form' })).text, EMPTY, q);
  }
  await write('gone v=4 4');
  assert.equal((await proxy.meta()).backends['b']?.backlog.records, 4);
  const kept = ['gone {} 3 v:float=3', 'gone {} 4 v:float=4'];
  assert.deepEqual(await a.rows('one', 'gone'), kept);

  // The proxy that took it is not the one that replays it.
  await proxy.kill();
  await proxy.start();
  await road.restore();
  await whenComplete();
  assert.deepEqual(await rows('gone'), [kept, kept]);
});

test('a deletion waits behind what a replica still has to catch up with', async () => {
  await write('late v=1 1');
  await road.cut();
  await write('late v=2 2');
  // Up again, but what it missed is still on its way.
  road.stall('to client');
  await road.restore();
  await proxy.waitFor(({ backends }) => backends['b']?.state === 'catching up');
  assert.equal((await ask(proxy.url, 'db', 'DELETE FROM late')).text, EMPTY);
  assert.deepEqual(await a.rows('one', 'late'), []);

  road.flow('to client');
  await whenComplete();
  assert.deepEqual(await rows('late'), [[], []]);
});

test('a replica creates its database when a client asks for it', async () => {
  const q = 'CREATE DATABASE "db"';
  assert.equal((await ask(proxy.url, '', q, { way: 'form' })).text, EMPTY);
  await road.cut();
  await b.query('', 'DROP DATABASE two');
  await proxy.waitFor(({ backends }) => backends['b']?.up === false);
  assert.equal((await ask(proxy.url, '', q)).text, EMPTY);
  await road.restore();
  await whenComplete();
  await write('fresh v=1 1');
  const [onA, onB] = await rows('fresh');
  assert.equal(onA.length, 1);
  assert.deepEqual(onB, onA);
});

test('every replica is told the same moment for now()', async (t) => {
  const [east, west] = [await scriptedBackend(t), await scriptedBackend(t)];
  const own = await startProxy(t, {
    backends: { east: { url: east.url, db: 'e' }, west: { url: west.url, db: 'w x' } },
    keymaps: { _default_: ['west', 'east'] },
  });
  await own.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  const before = BigInt(Date.now()) * 1_000_000n;
  const q = 'DELETE FROM cpu WHERE time<now()-1h AND time>now()-2h';
  assert.equal((await ask(own.url, 'db', q, { with: { epoch: 's' } })).text, EMPTY);

  const sentTo = ({ requests }: { requests: readonly Recorded[] }): URLSearchParams => {
    assert.equal(requests.length, 1);
    return new URLSearchParams(requests[0]?.body);
  };
  const [toEast, toWest] = [sentTo(east), sentTo(west)];
  const [, moment = ''] = /time< (\d+) -1h/.exec(toEast.get('q') ?? '') ?? [];
  assert.ok(BigInt(moment) >= before, moment);
  const sent = `DELETE FROM cpu WHERE time< ${moment} -1h AND time> ${moment} -2h`;
  assert.equal(toEast.get('q'), sent);
  assert.equal(toWest.get('q'), sent);
  assert.deepEqual([toEast.get('db'), toWest.get('db')], ['e', 'w x']);
});

test('a deletion that fails on one replica is repeated there until it succeeds', async (t) => {
  const east = await scriptedBackend(t);
  const closing = '{"results":[{"statement_id":0,"error":"query engine shutdown"}]}\n';
  const west = await scriptedBackend(
    t,
    { status: 500, body: '{"error":"timeout"}' },
    'reset',
    { status: 200, body: closing },
    { status: 200, body: EMPTY },
  );
  const own = await startProxy(t, {
    backends: {
      east: { url: east.url, db: 'd' },
      west: { url: west.url, db: 'd', rewriteInterval: 100 },
    },
    keymaps: { _default_: ['west', 'east'] },
  });
  await own.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  assert.equal((await ask(own.url, 'db', 'DELETE FROM cpu')).text, EMPTY);
  await own.waitFor(({ backends }) => backends['west']?.state === 'complete');
  const sent = west.requests.map(({ body }) => new URLSearchParams(body).get('q'));
  assert.deepEqual(sent, Array(4).fill('DELETE FROM cpu'));
  assert.equal(east.requests.length, 1);
});

test('a client that goes away does not leave half a deletion', async (t) => {
  let release = (): void => undefined;
  const when = new Promise<void>((resolve) => (release = resolve));
  const east = await scriptedBackend(t, { status: 200, body: EMPTY, when }, 204);
  const west = await scriptedBackend(t, { status: 200, body: EMPTY, when }, 204);
  const own = await startProxy(t, {
    backends: {
      east: { url: east.url, db: 'd', ...PATIENT },
      west: { url: west.url, db: 'd', ...PATIENT },
    },
    keymaps: { _default_: ['west', 'east'] },
  });
  await own.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));
  const client = new AbortController();
  const answer = ask(own.url, 'db', 'DELETE FROM cpu', { signal: client.signal });
  await Promise.all([east.received(1), west.received(1)]);
  client.abort();
  await assert.rejects(answer, { name: 'AbortError' });
  // A write waits for the deletion: it is answered once both replicas have ended it.
  const write = own.request('/write?db=db', { body: 'cpu v=1 1' });
  release();
  assert.equal((await write).status, 204);
  const paths = ({ requests }: { requests: readonly Recorded[] }): string =>
    requests.map(({ path }) => path).join(' ');
  await eventually(
    'both writes',
    () => paths(east) === '/query /write' && paths(west) === '/query /write',
  );
});
