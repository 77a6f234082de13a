import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { scanLines } from '../../src/lineprotocol/scanner.ts';
import { measurementName } from '../../src/lineprotocol/measurement.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { Statistics, STATISTICS_MEASUREMENT } from '../../src/metrics/statistics.ts';

/** The measurements of the points in a text; throws what InfluxDB would say of a line that it refuses. */
function measurementsIn(text: string): string[] {
  const body = Buffer.from(text);
  const names: string[] = [];
  scanLines(body, 'ns', {
    point(start, measurementEnd) {
      names.push(measurementName(body, start, measurementEnd));
    },
    invalid(_start, _end, reason) {
      throw new Error(reason);
    },
  });
  return names;
}

function fieldsOf(line: string): Record<string, string> {
  const fields = line.trimEnd().split(' ').at(-1)?.split(',') ?? [];
  return Object.fromEntries(fields.map((field) => field.split('=') as [string, string]));
}

test('statistics are one valid point without a timestamp, whatever the names around them', () => {
  const check = (addr: string, host: string): void => {
    const line = new Statistics(new Counters(), { addr, host }).nextLine();
    assert.deepEqual(measurementsIn(line), [STATISTICS_MEASUREMENT], line);
    assert.ok(line.endsWith('i\n'), line);
  };

  check('localhost:8087', 'node1');
  check(':8087', 'node1.example.com');
  check('[::1]:8087', 'a=b, c');
  check('x', 'ä');
});

test('each point of statistics has the fields of the older proxy, our own, and what changed since the last', () => {
  const counters = new Counters();
  const statistics = new Statistics(counters, { addr: 'a', host: 'h' });
  const zero = {
    statQueryRequest: '0i',
    statQueryRequestFail: '0i',
    statQueryRequestDuration: '0i',
    statWriteRequest: '0i',
    statWriteRequestFail: '0i',
    statWriteRequestDuration: '0i',
    statPingRequest: '0i',
    statPointsWritten: '0i',
    statPointsWrittenFail: '0i',
    statPointsDiverged: '0i',
  };
  assert.deepEqual(fieldsOf(statistics.nextLine()), zero);

  counters.queries.total = 3;
  counters.queries.failed = 1;
  counters.queries.nanoseconds = 5_000_000_000;
  counters.writes.total = 20;
  counters.writes.failed = 2;
  counters.writes.nanoseconds = 7;
  counters.pings = 4;
  counters.points = 1000;
  counters.pointsFailed = 10;
  counters.pointsDiverged = 6;
  assert.deepEqual(fieldsOf(statistics.nextLine()), {
    statQueryRequest: '3i',
    statQueryRequestFail: '1i',
    statQueryRequestDuration: '5000000000i',
    statWriteRequest: '20i',
    statWriteRequestFail: '2i',
    statWriteRequestDuration: '7i',
    statPingRequest: '4i',
    statPointsWritten: '1000i',
    statPointsWrittenFail: '10i',
    statPointsDiverged: '6i',
  });

  counters.points += 5;
  assert.deepEqual(fieldsOf(statistics.nextLine()), { ...zero, statPointsWritten: '5i' });
  assert.deepEqual(fieldsOf(statistics.nextLine()), zero);
});
