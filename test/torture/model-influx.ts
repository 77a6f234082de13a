import { NANOSECONDS_PER, type Precision } from '../../src/lineprotocol/precision.ts';

/** One line as the simulation's clients write them: no escapes, no quoted blanks. */
export interface Line {
  readonly text: string;
  readonly measurement: string;
  readonly series: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly timestamp: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

type Type = 'float' | 'string';

const NO_CONTENT: Answer = { status: 204, body: '' };
const RETENTION_POLICIES: readonly string[] = ['autogen', 'short'];
const SHARD_NANOSECONDS = 7n * 24n * NANOSECONDS_PER.h;

export function parseLine(text: string): Line {
  const [series = '', fields = '', timestamp] = text.split(' ');
  return {
    text,
    series,
    measurement: series.split(',')[0] ?? '',
    fields: fields.split(',').map((field) => {
      const [name = '', value = ''] = field.split('=');
      return [name, value] as const;
    }),
    timestamp,
  };
}

export function linesOf(body: Buffer): Line[] {
  return body
    .toString()
    .split('\n')
    .filter((text) => text !== '')
    .map(parseLine);
}

/** Names one field of one point, in nanoseconds and with the policy's own name, whatever the request called them. */
export function rowKey(
  { rp, precision }: { readonly rp: string; readonly precision: string },
  { series, timestamp = '' }: Line,
  field: string,
): string {
  const time = BigInt(timestamp) * NANOSECONDS_PER[precision as Precision];
  return `${rp === '' ? 'autogen' : rp} ${series} ${time} ${field}`;
}

/**
 * What the write path can see of an InfluxDB 1.x: rows, the last write of a field wins, and a field keeps the type that it
 * has. Each measurement has fields of type float from the start, unless `strangers` names it: those are strings here.
 */
export class ModelInflux {
  readonly rows = new Map<string, string>();
  readonly #strangers: ReadonlySet<string>;

  constructor(strangers: Iterable<string>) {
    this.#strangers = new Set(strangers);
  }

  /** Will never be stored here. */
  refuses({ measurement, fields }: Line): boolean {
    return this.#conflictOf(measurement, fields) !== undefined;
  }

  /** Stores what it can. Of several shards that refuse points, only one is reported, as influxd does. */
  write(
    target: { readonly rp: string; readonly precision: string },
    lines: readonly Line[],
  ): Answer {
    if (target.rp !== '' && !RETENTION_POLICIES.includes(target.rp)) {
      return answer(500, `retention policy not found: ${target.rp}`);
    }
    const dropped = new Map<bigint, { text: string; count: number }>();
    for (const line of lines) {
      const conflict = this.#conflictOf(line.measurement, line.fields);
      if (conflict === undefined) {
        for (const [field, value] of line.fields) this.rows.set(rowKey(target, line, field), value);
        continue;
      }
      const time = BigInt(line.timestamp ?? '') * NANOSECONDS_PER[target.precision as Precision];
      const shard = dropped.get(time / SHARD_NANOSECONDS);
      if (shard === undefined) dropped.set(time / SHARD_NANOSECONDS, { text: conflict, count: 1 });
      else shard.count += 1;
    }
    for (const { text, count } of dropped.values()) {
      return answer(400, `partial write: ${text} dropped=${count}`);
    }
    return NO_CONTENT;
  }

  /** `DELETE` of all points of one series, in every policy. */
  deleteSeries(series: string): Answer {
    for (const key of this.rows.keys()) {
      if (key.split(' ')[1] === series) this.rows.delete(key);
    }
    return { status: 200, body: '{"results":[{"statement_id":0}]}\n' };
  }

  #conflictOf(measurement: string, fields: Line['fields']): string | undefined {
    const own: Type = this.#strangers.has(measurement) ? 'string' : 'float';
    for (const [field, value] of fields) {
      const type: Type = value.startsWith('"') ? 'string' : 'float';
      if (type === own) continue;
      const input = `input field "${field}" on measurement "${measurement}"`;
      return `field type conflict: ${input} is type ${type}, already exists as type ${own}`;
    }
    return undefined;
  }
}

export function answer(status: number, error: string): Answer {
  return { status, body: `${JSON.stringify({ error })}\n` };
}
