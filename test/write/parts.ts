import type { Part } from '../../src/write/batch.ts';
import { Compressor } from '../../src/write/compressor.ts';

export const COMPRESSOR = new Compressor({ level: 1 });

export const TARGET = { routeId: 0, rp: '', precision: 'ns' } as const;

/** A part whose lines are named `name`, that came at `arrivedAt`. */
export function partOf(name: string, points = 1, arrivedAt = 0): Part {
  const lines = Array.from({ length: points }, (_, index) => `${name} v=${index} ${index}\n`);
  const payload = Buffer.from(lines.join(''));
  return { payload, points, arrivedAt, reservedBytes: payload.length };
}
