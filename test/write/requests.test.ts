import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Health } from '../../src/backend/health.ts';
import type { WriteBody } from '../../src/backend/influxdb.ts';
import type { Outcome, StatementOutcome } from '../../src/backend/outcome.ts';
import { reported } from '../../src/write/requests.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeLog } from '../support/fake-log.ts';

const BODY: WriteBody = { rp: '', precision: 'ns', payload: Buffer.from('m v=1'), gzipped: false };
const STORED: Outcome = { kind: 'stored' };
const FAILED = { kind: 'failed', reason: 'ECONNREFUSED' } as const;

function refused(scope: 'lines' | 'once'): Outcome {
  return { kind: 'refused', status: 400, error: 'no', scope };
}

/** Requests to a server that its only probe has found up: writes get these answers in turn, statements none. */
async function requestsTo(...answers: Outcome[]) {
  const probe = (): Promise<string> => Promise.resolve('1.6.7');
  const health = new Health({ name: 'a', checkInterval: 1_000, probe }, new FakeClock(), fakeLog());
  const probed = health.run();
  health.close();
  await probed;
  const send = (): Promise<Outcome> => {
    const answer = answers.shift();
    assert.ok(answer !== undefined, 'one request too many');
    return Promise.resolve(answer);
  };
  const execute = (): Promise<StatementOutcome> => Promise.resolve(FAILED);
  return { health, answers, ...reported({ send, execute }, health) };
}

test('requests that fail, of either kind, make a server down; one that is answered between them does not let them', async () => {
  const { health, send, execute } = await requestsTo(
    FAILED,
    FAILED,
    refused('lines'),
    FAILED,
    FAILED,
    FAILED,
  );
  for (let count = 1; count <= 5; count++) {
    await send(BODY);
    assert.equal(health.isDown, false, `after ${count}`);
  }
  await execute('q=DROP+SERIES+FROM+m');
  assert.equal(health.isDown, true);
});

test('what is refused once is sent again, and only the second answer counts', async () => {
  const { health, send, answers } = await requestsTo(
    refused('once'),
    STORED,
    refused('once'),
    FAILED,
  );
  assert.deepEqual(await send(BODY), STORED);
  assert.deepEqual(await send(BODY), FAILED);
  assert.equal(answers.length, 0);
  assert.equal(health.isDown, false);
});
