import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type RequestOutcome, writeErrorOf } from '../../src/write/verdict.ts';

const CONFLICT = 'partial write: field type conflict: input field "v" dropped=1';
const BAD = "unable to parse 'm': missing fields";

function outcome(parts: Partial<RequestOutcome>): RequestOutcome {
  return { unparsable: [], unrouted: unroutedOf(0), routed: 0, refusals: [], ...parts };
}

function unroutedOf(points: number, ...names: readonly string[]): RequestOutcome['unrouted'] {
  return { points, measurements: new Set(names) };
}

function refusal(error: string, status = 400) {
  return { kind: 'refused', status, error, lines: [] } as const;
}

test('what a client is told of a request', () => {
  const check = (parts: Partial<RequestOutcome>, error: string | undefined, status = 400): void => {
    const expected = error === undefined ? undefined : { status, error };
    assert.deepEqual(writeErrorOf(outcome(parts)), expected);
  };
  check({}, undefined);
  check({ routed: 5 }, undefined);

  // Lines that do not parse
  check({ unparsable: [BAD] }, BAD);
  check({ unparsable: [BAD, BAD] }, `${BAD}\n${BAD}`);
  check({ unparsable: [BAD], routed: 1 }, `partial write: ${BAD} dropped=0`);
  check({ unparsable: [BAD, BAD], routed: 1 }, `partial write: ${BAD}\n${BAD} dropped=0`);

  // Measurements without a route
  const unrouted = unroutedOf(3, 'b', 'a "q"');
  const missing = 'no route for measurement "b", "a \\"q\\"" dropped=3';
  check({ unrouted }, `partial write: ${missing}`);
  check({ unrouted, routed: 1 }, `partial write: ${missing}`);
  check({ unrouted, unparsable: [BAD] }, `partial write: ${BAD}\n${missing}`);
  const many = Array.from({ length: 12 }, (_, index) => `m${index}`);
  check(
    { unrouted: unroutedOf(12, ...many) },
    `partial write: no route for measurement ${many
      .slice(0, 10)
      .map((name) => `"${name}"`)
      .join(', ')} and 2 more dropped=12`,
  );

  // Refusals of a backend come before everything, as on InfluxDB
  check({ refusals: [refusal(CONFLICT)], routed: 2 }, CONFLICT);
  check({ refusals: [refusal(CONFLICT), refusal('second')], routed: 2 }, CONFLICT);
  check({ refusals: [refusal(CONFLICT)], unparsable: [BAD], routed: 1 }, CONFLICT);
  check({ refusals: [refusal(CONFLICT)], unrouted, routed: 1 }, `${CONFLICT}\n${missing}`);
  check(
    { refusals: [refusal('retention policy not found: x', 500)], routed: 1 },
    'retention policy not found: x',
    500,
  );
});
