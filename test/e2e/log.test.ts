import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { startProxy } from '../support/proxy.ts';
import { scriptedBackend } from '../support/scripted-backend.ts';
import { pairConfig } from './replica-pair.ts';

test('a log that cannot be written ends nothing', async (t) => {
  const [a, b] = [await scriptedBackend(t), await scriptedBackend(t)];
  const args = ['--log-file-path=/dev/full'];
  const proxy = await startProxy(t, pairConfig([a.url, b.url]), { args });
  assert.equal((await proxy.request('/write?db=metrics', { body: 'm v=1 1' })).status, 204);
  assert.equal(await proxy.stop(), 0);
});
