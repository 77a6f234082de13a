import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { HttpServer, started } from '../support/http-server.ts';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { ask } from './query-client.ts';
import { PATIENT } from './replica-pair.ts';

// `async=true`: 204 at once. The query is judged before, and runs without the client.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const backends = [await scriptedBackend(cleanup), await scriptedBackend(cleanup)] as const;
const [a, b] = backends;
const proxy = await startProxy(cleanup, {
  proxy: { db: 'db', interval: 0 },
  backends: { a: { url: a.url, db: 'db', ...PATIENT }, b: { url: b.url, db: 'db', ...PATIENT } },
  keymaps: { _default_: ['a', 'b'], 'only a': ['a'] },
});
await proxy.waitFor((meta) => Object.values(meta.backends).every(({ up }) => up));

const ASYNC = { with: { async: 'true' } };

/** A promise, and how to keep it. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

function sentTo(backend: typeof a): (string | null)[] {
  return backend.requests.splice(0).map(({ parameters }) => parameters.get('q'));
}

test('a read runs to its end while the client has its answer already', async (t) => {
  const { opened, open } = gate();
  let asked = 0;
  let answered = 0;
  const server = new HttpServer((request, response) => {
    request.resume();
    if (request.url === '/ping') {
      response.writeHead(204).end();
      return;
    }
    asked++;
    // More than the buffers of all sockets on the way: it ends when all of it has been read.
    response.once('finish', () => answered++);
    void opened.then(() => response.end(Buffer.alloc(32 * 1024 * 1024, ' ')));
  });
  const { url } = await started(t, server);
  const reading = await startProxy(t, {
    proxy: { db: 'db', interval: 0 },
    backends: { slow: { url, db: 'db' } },
    keymaps: { _default_: ['slow'] },
  });
  await reading.waitFor((meta) => meta.backends['slow']?.up === true);

  const answer = await ask(reading.url, 'db', 'SELECT v FROM m', ASYNC);
  assert.deepEqual([answer.status, answer.text], [204, '']);
  assert.equal(answer.headers['content-type'], 'application/json');
  await eventually('the query at the server', () => asked === 1);
  assert.equal(answered, 0);
  open();
  await eventually('the whole answer', () => answered === 1);
});

test('a deletion reaches every replica, in order with the writes', async () => {
  const { opened, open } = gate();
  for (const backend of backends) {
    backend.answer({ status: 200, body: '{"results":[{"statement_id":0}]}\n', when: opened }, 204);
  }
  const q = 'DELETE FROM m';
  assert.equal((await ask(proxy.url, 'db', q, ASYNC)).status, 204);
  const write = proxy.request('/write?db=db', { body: 'm v=1 1' });
  for (const backend of backends) await backend.received(1);
  for (const backend of backends) assert.deepEqual(sentTo(backend), [q]);
  open();
  assert.equal((await write).status, 204);
  for (const backend of backends) {
    await backend.received(1);
    assert.deepEqual(
      backend.requests.splice(0).map(({ path }) => path),
      ['/write'],
    );
    backend.answer();
  }
});

test('what is refused is refused, and what fails is in the log', async () => {
  for (const q of ['DROP DATABASE db', 'SELECT * INTO x FROM m', 'SELECT v FROM other..m']) {
    const answer = await ask(proxy.url, 'db', q, ASYNC);
    assert.equal(answer.status, 400, `${q} ${answer.text}`);
  }
  for (const backend of backends) assert.deepEqual(sentTo(backend), []);

  a.answer(503);
  assert.equal((await ask(proxy.url, 'db', 'SELECT v FROM "only a"', ASYNC)).status, 204);
  const logged = await eventually('a line in the log', () => {
    const lines = proxy.logged('asynchronous query failed');
    return lines.length > 0 && lines;
  });
  assert.deepEqual(
    logged.map(({ level, reason }) => [level, reason]),
    [['warn', 'no replica can answer the query: a: status 503']],
  );
});
