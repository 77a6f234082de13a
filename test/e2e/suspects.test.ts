import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { startProxy } from '../support/proxy.ts';
import { type Recorded, scriptedBackend } from '../support/scripted-backend.ts';

test('a client whose points were refused shares no request with others for a while', async (t) => {
  const release: (() => void)[] = [];
  const backend = await scriptedBackend(t);
  const proxy = await startProxy(t, {
    backends: { b: { url: backend.url, db: 'd', spillAfter: 8_000, interval: 8_000 } },
    keymaps: { _default_: ['b'] },
  });
  await proxy.waitFor(({ backends }) => backends['b']?.up === true);
  const write = async (from: string, body: string): Promise<number> => {
    const agent = new Agent({ localAddress: from });
    return (await proxy.request('/write?db=db', { body, agent })).status;
  };
  const refused = { status: 400, body: '{"error":"partial write: no dropped=1"}\n' };
  backend.answer(({ path, body }: Recorded) => {
    if (path !== '/write') return 204;
    return body.includes('bad') ? refused : 204;
  });
  assert.equal(await write('127.0.0.2', 'bad v=1 1'), 400);

  // While the first of these is under way, the others gather.
  backend.answer(({ path }: Recorded) =>
    path === '/write'
      ? { status: 204, when: new Promise<void>((resolve) => release.push(resolve)) }
      : 204,
  );
  const before = backend.writes.length;
  const first = write('127.0.0.3', 'm,c=first v=1 1');
  await backend.received(backend.requests.length + 1);
  const others = ['3', '2', '3', '2'].map((host, index) =>
    write(`127.0.0.${host}`, `m,c=${host} v=${index} 1`),
  );
  const waiting = new Set([first, ...others]);
  for (const answer of [...waiting]) void answer.then(() => waiting.delete(answer));
  while (waiting.size > 0) {
    release.shift()?.();
    await new Promise(setImmediate);
  }
  assert.deepEqual(await Promise.all([first, ...others]), [204, 204, 204, 204, 204]);
  const bodies = backend.writes.slice(before);
  const lines = bodies.flatMap((body) => body.trim().split('\n'));
  assert.equal(lines.length, 5);
  for (const body of bodies) {
    assert.ok(!(body.includes('c=2') && /c=(3|first)/.test(body)), body);
  }
});
