import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startProxy } from '../support/proxy.ts';
import {
  type Handler,
  type ScriptedBackend,
  scriptedBackend,
} from '../support/scripted-backend.ts';
import { ask } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// Who is read: the complete before those with holes, the near before the far, and those that are written to only, never.

const cleanup = new CleanupStack();
after(() => cleanup.run());

/** Answers queries with its name; takes writes, or has the proxy keep them for longer than any test. */
function serving(name: string, takesWrites = true): Handler {
  return ({ path }) => {
    if (path === '/query') return { status: 200, body: `{"from":"${name}"}\n` };
    return takesWrites ? 204 : { status: 503, headers: { 'Retry-After': '600' } };
  };
}

async function server(name: string): Promise<ScriptedBackend> {
  return scriptedBackend(cleanup, serving(name));
}

const [near, near2, far, restored] = (await Promise.all(
  ['near', 'near2', 'far', 'restored'].map(server),
)) as [ScriptedBackend, ScriptedBackend, ScriptedBackend, ScriptedBackend];
const settings = { db: 'db', checkInterval: 100, ...PATIENT };
const proxy = await startProxy(cleanup, {
  proxy: { zone: 'here', interval: 0 },
  backends: {
    near: { ...settings, url: near.url, zone: 'here' },
    near2: { ...settings, url: near2.url, zone: 'here' },
    far: { ...settings, url: far.url, zone: 'there' },
    restored: { ...settings, url: restored.url, zone: 'here', writeOnly: 1 },
  },
  keymaps: {
    'write only': ['restored'],
    'read far': ['restored', 'far'],
    'two near': ['near', 'near2'],
    _default_: ['restored', 'far', 'near', 'near2'],
  },
});
await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));

async function readFrom(measurement: string): Promise<string> {
  const answer = await ask(proxy.url, 'db', `SELECT * FROM "${measurement}"`);
  return answer.status === 200 ? (JSON.parse(answer.text) as { from: string }).from : answer.text;
}

test('the own zone is read while a replica of it is there', async () => {
  for (let times = 0; times < 5; times++) assert.equal(await readFrom('m'), 'near');
});

test('of two replicas in the same place the one with less to do is read', async () => {
  let release = (): void => undefined;
  const when = new Promise<void>((resolve) => (release = resolve));
  near.answer({ status: 200, body: '{"from":"near"}', when });
  near.requests.length = 0;
  const slow = readFrom('two near');
  await near.received(1);
  for (let times = 0; times < 3; times++) assert.equal(await readFrom('two near'), 'near2');
  release();
  assert.equal(await slow, 'near');
  near.answer(serving('near'));
  assert.equal(await readFrom('two near'), 'near');
});

test('Q12: a backend that is written to only is read in no zone, even if nobody else is left', async () => {
  restored.requests.length = 0;
  assert.match(
    await readFrom('write only'),
    /no replica can answer the query: none may be read from/,
  );
  assert.equal(await readFrom('read far'), 'far');
  far.answer(500);
  assert.match(await readFrom('read far'), /no replica can answer the query: far: status 500/);
  far.answer(serving('far'));
  assert.deepEqual(restored.requests, []);
});

test('Q13: a replica that misses points is read only when no complete one answers, the smallest hole first', async () => {
  const write = async (measurement: string, points: number): Promise<void> => {
    const lines = Array.from(
      { length: points },
      (_, index) => `${measurement} v=${index} ${index}`,
    );
    const answer = await proxy.request('/write?db=db', { body: lines.join('\n') });
    assert.equal(answer.status, 204, answer.text);
  };
  near.answer(serving('near', false));
  await write('two\\ near', 1000);
  await proxy.waitFor(({ backends }) => backends['near']?.state === 'catching up');
  near2.answer(serving('near2', false));
  await write('two\\ near', 10);
  const { backends } = await proxy.waitFor(
    (meta) => meta.backends['near2']?.state === 'catching up',
  );
  assert.ok((backends['near']?.backlog.bytes ?? 0) > (backends['near2']?.backlog.bytes ?? 0));
  assert.ok(Object.values(backends).every(({ up }) => up));

  // The complete one is in another zone, and is read all the same.
  for (let times = 0; times < 5; times++) assert.equal(await readFrom('m'), 'far');
  far.answer(500);
  assert.equal(await readFrom('m'), 'near2');
  near2.answer('reset');
  assert.equal(await readFrom('m'), 'near');
  far.answer(serving('far'));
  assert.equal(await readFrom('m'), 'far');

  await far.down();
  await proxy.waitFor((meta) => meta.backends['far']?.up === false);
  near2.answer(serving('near2', false));
  assert.equal(await readFrom('m'), 'near2');
  await far.up();
  await proxy.waitFor((meta) => meta.backends['far']?.up === true);
  assert.equal(await readFrom('m'), 'far');
});

test('Q13: a replica with a backlog from before a restart is not read while a complete one is there', async () => {
  await proxy.restart();
  // From the first moment on, when no server has been heard of yet.
  for (let times = 0; times < 20; times++) assert.equal(await readFrom('m'), 'far');
});
