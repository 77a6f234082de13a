import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Suspects } from '../../src/write/suspects.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('a client is suspect for a minute after its last refused points', async () => {
  const clock = new FakeClock();
  const suspects = new Suspects(clock);
  assert.equal(suspects.has('a'), false);
  suspects.add('a');
  await clock.advance(59_000);
  assert.equal(suspects.has('a'), true);
  suspects.add('a');
  await clock.advance(59_999);
  assert.equal(suspects.has('a'), true);
  assert.equal(suspects.has('b'), false);
  await clock.advance(1);
  assert.equal(suspects.has('a'), false);
});

test('however many clients there are, suspicion takes bounded memory', () => {
  const suspects = new Suspects(new FakeClock());
  for (let client = 0; client <= 10_000; client++) suspects.add(`client ${client}`);
  assert.equal(suspects.has('client 0'), false);
  assert.equal(suspects.has('client 1'), true);
  assert.equal(suspects.has('client 10000'), true);
});
