import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { startProxy } from '../support/proxy.ts';
import { type Recorded, scriptedBackend, type Step } from '../support/scripted-backend.ts';
import { ask } from './query-client.ts';

// One of the servers that share a query breaks in the middle: the client is told, and never takes a part for the whole.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const [x, y, spare] = await Promise.all([
  scriptedBackend(cleanup),
  scriptedBackend(cleanup),
  scriptedBackend(cleanup),
]);
const settings = { db: 'db', checkInterval: 100 };
const proxy = await startProxy(cleanup, {
  proxy: { zone: 'here', interval: 0 },
  backends: {
    x: { ...settings, url: x.url, zone: 'here' },
    y: { ...settings, url: y.url, zone: 'here', timeoutQuery: 1_000 },
    spare: { ...settings, url: spare.url, zone: 'far' },
  },
  keymaps: { m: ['x'], n: ['spare', 'y'] },
});
await proxy.waitFor(({ backends }) => Object.values(backends).every(({ up }) => up));

const line = (name: string, more = ''): string =>
  `{"results":[{"statement_id":0,"series":[{"name":"${name}","columns":["time","v"],"values":[[1,1]]${more}}]${more}}]}\n`;

/** Answers a SELECT by this step, and says that it has no fields when it is asked for them. */
const selecting =
  (step: Step) =>
  ({ parameters }: Recorded): Step => {
    const isSelect = parameters.get('q')?.startsWith('SELECT') === true;
    return isSelect ? step : { status: 200, body: '{"results":[{"statement_id":0}]}\n' };
  };

/** More than a server may still take back, by handing over to another one. */
const manyRows = Array.from({ length: 10_000 }, (_, at) => `[${at},1]`).join(',');

const M = '{"name":"m","columns":["time","v"],"values":[[1,1]]}';
const N = '{"name":"n","columns":["time","v"],"values":[[1,1]]}';
const Q = 'SELECT v FROM m, n';

async function answer(step: Step): Promise<string> {
  x.answer(selecting({ status: 200, body: line('m') }));
  y.answer(selecting(step));
  spare.answer(selecting({ status: 200, body: line('n') }));
  const { status, text } = await ask(proxy.url, 'db', Q);
  assert.equal(status, 200, text);
  return text.trimEnd();
}

test('a part that breaks while it is short is answered by another server', async () => {
  const whole = `{"results":[{"statement_id":0,"series":[${M},${N}]}]}`;
  assert.equal(await answer({ status: 200, body: line('n') }), whole);
  assert.equal(await answer(503), whole);
  assert.equal(await answer('reset'), whole);
  assert.equal(await answer('hang'), whole);
  assert.equal(await answer({ status: 200, body: ['{"results":['], then: 'reset' }), whole);
  assert.equal(await answer({ status: 200, body: 'no JSON' }), whole);
  assert.equal(await answer({ status: 200, body: line('n').slice(0, -20) }), whole);
  assert.equal(
    await answer({
      status: 200,
      body: '{"results":[{"statement_id":0,"error":"database not found: db"}]}\n',
    }),
    whole,
  );
  const begun = line('n', ',"partial":true');
  assert.equal(await answer({ status: 200, body: [begun], then: 'reset' }), whole);
  assert.equal(await answer({ status: 200, body: [begun, '{"results":[{'] }), whole);
  assert.equal(await answer({ status: 200, body: [begun], then: 'hang' }), whole);
  const closing = '{"results":[{"statement_id":0,"error":"query engine shutdown"}]}\n';
  assert.equal(await answer({ status: 200, body: [begun, closing] }), whole);
});

test('a part that breaks when it has become long is an error of the statement', async () => {
  const broken = async (step: Step, reason: RegExp): Promise<void> => {
    const { results } = JSON.parse(await answer(step)) as { results: { error?: string }[] };
    assert.match(results[0]?.error ?? '', reason);
  };
  const begun = line('n', ',"partial":true').replace('[1,1]', manyRows);

  await broken({ status: 200, body: [begun, '{"results":[{'] }, /the answer of y broke off: /);
  await broken({ status: 200, body: [begun], then: 'hang' }, /no complete answer within 1000 ms/);
  const failing = (error: string): string =>
    `{"results":[{"statement_id":0,"error":"${error}"}]}\n`;
  await broken({ status: 200, body: [begun, failing('query interrupted')] }, /^query interrupted$/);
  const closing = failing('query engine shutdown');
  await broken({ status: 200, body: [begun, closing] }, /y broke off: query engine shutdown$/);
});

test('what a server says of the query itself is the answer', async () => {
  const failed = '{"results":[{"statement_id":0,"error":"max-select-series limit exceeded"}]}';
  assert.equal(await answer({ status: 200, body: `${failed}\n` }), failed);
});
