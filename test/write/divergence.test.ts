import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Outcome } from '../../src/backend/outcome.ts';
import { deadPointsOf } from '../../src/write/dead-points.ts';
import { findRefused, type Rejection } from '../../src/write/refusals.ts';
import { diverge, STORED, type Verdict } from '../../src/write/verdict.ts';

const LINES = Buffer.from('a v=1 1\nb v="x" 1\nc v=1 1\nd v=1 1\n');

/** The texts of the pieces that count as refused after a first answer, by a server that then refuses `b` alone. */
async function refusedAfter(error: string): Promise<string[]> {
  const answer: Rejection = { kind: 'refused', status: 400, error, scope: 'lines' };
  const send = (payload: Buffer): Promise<Outcome> =>
    Promise.resolve(payload.includes('b v=') ? answer : { kind: 'stored' });
  const search = await findRefused(LINES, answer, { send, maxRefusals: Infinity });
  assert.equal(search.kind, 'searched');
  return search.refused.map(({ payload }) => payload.toString());
}

const ONLY_B = ['b v="x" 1\n'];
const ALL = [LINES.toString()];

const conflict = (name: string) =>
  `partial write: field type conflict: input field "v" on measurement "${name}" is type string, already exists as type float`;

const refusals: [error: string, refused: string[]][] = [
  [`${conflict('b')} dropped=1`, ONLY_B],
  [`${conflict('b')} dropped=4`, ALL],
  // The names in it are the client's.
  [`${conflict('x dropped=4')} dropped=1`, ONLY_B],
  // 1.12 says this behind every partial write.
  [`${conflict('b')} dropped=1 for database: d for retention policy: autogen`, ONLY_B],
  [`${conflict('b')} dropped=4 for database: d for retention policy: autogen`, ALL],
];

for (const [error, expected] of refusals) {
  test(`what is refused after: ${error}`, async () => {
    assert.deepEqual(await refusedAfter(error), expected);
  });
}

function refuses(...ranges: [start: number, end: number][]): Verdict {
  const error = 'refused';
  const lines = ranges.map(([start, end]) => ({
    ...{ payload: LINES.subarray(start, end), points: 1, status: 400, error },
  }));
  return { kind: 'refused', status: 400, error, lines };
}

const divergences: [name: string, verdicts: Verdict[], expected: boolean][] = [
  ['all stored', [STORED, STORED], false],
  [
    'one refuses a line that another one may store in replay',
    [refuses([0, 8]), { kind: 'spilled' }],
    true,
  ],
  ['one drops points that expire in replay, too', [refuses(), { kind: 'spilled' }], false],
  ['one stores what another one has in its spill', [STORED, { kind: 'spilled' }], false],
  ['one is detached and does not count', [refuses([0, 8]), { kind: 'missed' }], false],
  ['one refuses a line', [STORED, refuses([0, 8])], true],
  ['one drops points that have expired', [STORED, refuses()], false],
  ['both refuse the same line', [refuses([0, 8]), refuses([0, 8])], false],
  [
    'both refuse the same lines in other pieces',
    [refuses([0, 18]), refuses([0, 8], [8, 18])],
    false,
  ],
  ['each refuses another line', [refuses([0, 8]), refuses([8, 18])], true],
];

for (const [name, verdicts, expected] of divergences) {
  test(`replicas differ: ${name}`, () => {
    assert.equal(diverge(verdicts), expected);
  });
}

test('a dead point keeps the beginning of an error that lists very many lines', () => {
  const error = 'unable to parse. '.repeat(100_000);
  const context = { timeMs: 0, db: 'd', rp: '', precision: 'ns' };
  const points = deadPointsOf({ payload: LINES, points: 4, status: 400, error }, context);
  assert.deepEqual(
    points.map((point) => point.error),
    Array.from({ length: 4 }, () => error.slice(0, 1024)),
  );
});
