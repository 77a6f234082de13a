import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Batch } from '../../src/write/batch.ts';
import { Lane } from '../../src/write/lane.ts';
import { BatchShipment } from '../../src/write/shipment.ts';
import { STORED } from '../../src/write/verdict.ts';
import { COMPRESSOR, partOf, TARGET } from './parts.ts';

function laneOf(...points: number[]): { lane: Lane; shipments: BatchShipment[] } {
  const lane = new Lane();
  const shipments = points.map(
    (count) => new BatchShipment(new Batch(TARGET, [partOf('m', count)], COMPRESSOR)),
  );
  for (const shipment of shipments) lane.push(shipment);
  return { lane, shipments };
}

test('a request carries the oldest batches that fit together, at least one', () => {
  const check = (points: number[], maxPoints: number, expected: number[][]): void => {
    const { lane } = laneOf(...points);
    const taken: number[][] = [];
    while (!lane.isIdle) {
      taken.push(lane.take(maxPoints).map(({ batch }) => batch.points));
      lane.finish();
    }
    assert.deepEqual(taken, expected);
  };
  check([], 5, []);
  check([1, 2, 2], 5, [[1, 2, 2]]);
  check([1, 2, 3, 4], 5, [[1, 2], [3], [4]]);
  check([9, 1, 1], 5, [[9], [1, 1]]);
  check([1, 9, 1], 5, [[1], [9], [1]]);
});

test('a request carries no more bytes than a server takes soon', () => {
  const lane = new Lane();
  const part = { ...partOf('m'), payload: Buffer.alloc(3 * 1024 * 1024, 'm v=1 1\n') };
  for (let count = 0; count < 5; count++)
    lane.push(new BatchShipment(new Batch(TARGET, [part], COMPRESSOR)));
  assert.deepEqual([lane.take(10).length, lane.take(10).length, lane.take(10).length], [2, 2, 1]);
});

test('surrender gives up what is not settled, oldest first, and keeps what is under way', () => {
  const { lane, shipments } = laneOf(1, 1, 1, 1);
  lane.take(2);
  shipments[0]?.settleAll(STORED);
  assert.deepEqual(lane.surrender(), shipments.slice(1));
  assert.ok(!lane.isIdle, 'a request is open');
  assert.deepEqual(lane.take(2), []);
  lane.finish();
  assert.ok(lane.isIdle);
});
