import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Outcome } from '../../src/backend/outcome.ts';
import { findRefused, isRejection, type Rejection } from '../../src/write/refusals.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);

interface ModelPoint {
  readonly measurement: string;
  readonly time: number;
  readonly fields: readonly (readonly [key: string, value: string])[];
}

/**
 * What matters here of InfluxDB 1.6.7: a field has one type per shard, the first one that it sees; a point with another
 * type is dropped whole; two types for a new field in one request make the shard drop all; the first failing shard alone is
 * reported, and lines that do not parse only if no shard fails.
 */
class ModelServer {
  readonly rows = new Map<string, Map<string, string>>();
  readonly #types = new Map<string, string>();

  write(payload: Buffer): Outcome {
    const lines = payload.toString().split('\n').slice(0, -1);
    const unparsable = lines.filter((line) => line.includes('u'));
    const points = lines.filter((line) => !line.includes('u')).map(parse);
    const errors = [...new Set(points.map(shardOf))].map((shard) =>
      this.#writeShard(
        shard,
        points.filter((point) => shardOf(point) === shard),
      ),
    );
    const error =
      errors.find((text) => text !== undefined) ?? parseError(unparsable, points.length);
    return error === undefined ? { kind: 'stored' } : rejection(error);
  }

  #writeShard(shard: number, points: readonly ModelPoint[]): string | undefined {
    const conflicts = points.map((point) => this.#conflict(shard, point));
    const kept = points.filter((_, index) => conflicts[index] === undefined);
    if (!this.#createFields(shard, kept)) return 'field type conflict';
    for (const { measurement, time, fields } of kept) {
      const key = `${measurement} ${time}`;
      this.rows.set(key, new Map([...(this.rows.get(key) ?? []), ...fields]));
    }
    const first = conflicts.find((text) => text !== undefined);
    return first && `partial write: ${first} dropped=${points.length - kept.length}`;
  }

  #conflict(shard: number, { measurement, fields }: ModelPoint): string | undefined {
    for (const [key, value] of fields) {
      const known = this.#types.get(`${shard} ${measurement} ${key}`);
      if (known === undefined || known === typeOf(value)) continue;
      return `field type conflict: input field "${key}" on measurement "${measurement}" is type ${typeOf(value)}, already exists as type ${known}`;
    }
    return undefined;
  }

  #createFields(shard: number, points: readonly ModelPoint[]): boolean {
    let agree = true;
    for (const { measurement, fields } of points) {
      for (const [key, value] of fields) {
        const name = `${shard} ${measurement} ${key}`;
        const known = this.#types.get(name) ?? typeOf(value);
        this.#types.set(name, known);
        if (known !== typeOf(value)) agree = false;
      }
    }
    return agree;
  }
}

function shardOf({ time }: ModelPoint): number {
  return Math.floor(time / 3);
}

function parse(line: string): ModelPoint {
  const [measurement = '', text = '', time] = line.split(' ');
  const fields = text.split(',').map((field) => {
    const [key = '', value = ''] = field.split('=');
    return [key, value] as const;
  });
  return { measurement, time: Number(time), fields };
}

function typeOf(value: string): string {
  return value.startsWith('"') ? 'string' : value.endsWith('i') ? 'integer' : 'float';
}

function parseError(lines: readonly string[], others: number): string | undefined {
  if (lines.length === 0) return undefined;
  const text = lines.map((line) => `unable to parse '${line}': invalid number`).join('\n');
  return others === 0 ? text : `partial write: ${text} dropped=0`;
}

function rejection(error: string): Rejection {
  return { kind: 'refused', status: 400, error, scope: 'lines' };
}

const value = fc
  .tuple(fc.integer({ min: 0, max: 99 }), fc.constantFrom('1', '1', '1', '1i', '"1"', '1u'))
  .map(([number, kind]) => kind.replace('1', String(number)));
const line = fc
  .tuple(
    fc.constantFrom('m', 'n'),
    fc.uniqueArray(fc.constantFrom('v', 'w'), { minLength: 1, maxLength: 2 }),
    value,
    value,
    fc.integer({ min: 0, max: 8 }),
  )
  .map(([name, keys, ...values]) => {
    const fields = keys.map((key, index) => `${key}=${values[index]}`);
    return `${name} ${fields.join(',')} ${values[2]}\n`;
  });

test('whatever is refused: the others are stored, and of two lines for one point the later wins', async () => {
  const property = fc.asyncProperty(
    fc.array(line, { minLength: 1, maxLength: 40 }),
    fc.array(line, { maxLength: 5 }),
    async (lines, earlier) => {
      const server = new ModelServer();
      for (const each of earlier) server.write(Buffer.from(each));
      const rows = new Map(structuredClone([...server.rows]));
      const payload = Buffer.from(lines.join(''));
      const answer = server.write(payload);
      if (!isRejection(answer)) return;
      const send = (piece: Buffer): Promise<Outcome> => Promise.resolve(server.write(piece));
      const search = await findRefused(payload, answer, { send, maxRefusals: Infinity });
      assert.ok(search.kind === 'searched' && search.isExact);
      const pieces = search.refused.map((refused) => refused.payload);
      const isRefused = (at: number): boolean =>
        pieces.some(
          ({ byteOffset, length }) =>
            at >= byteOffset - payload.byteOffset && at < byteOffset - payload.byteOffset + length,
        );
      let at = 0;
      for (const each of lines) {
        if (!isRefused(at)) {
          const { measurement, time, fields } = parse(each.trimEnd());
          const key = `${measurement} ${time}`;
          rows.set(key, new Map([...(rows.get(key) ?? []), ...fields]));
        }
        at += each.length;
      }
      assert.deepEqual(server.rows, rows);
      const points = search.refused.reduce((sum, refused) => sum + refused.points, 0);
      assert.equal(points, pieces.join('').split('\n').length - 1);
    },
  );
  await fc.assert(property, { numRuns: RUNS });
});
