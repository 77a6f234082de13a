import { NumberText } from './exact-json.ts';
import type { InfluxqlAnswer, InfluxqlSeries } from './influxql-answer.ts';

export type ExactValue = NumberText | string | boolean | null;

/** Field name -> its type; several (`float|integer`) when shards disagree. */
export type FieldTypes = ReadonlyMap<string, string>;

/** The field types that `SHOW FIELD KEYS FROM m` tells. */
export function fieldTypesOf(answer: InfluxqlAnswer<ExactValue>): FieldTypes {
  const types = new Map<string, string>();
  for (const [name, type] of answer.results?.[0]?.series?.[0]?.values ?? []) {
    if (typeof name !== 'string' || typeof type !== 'string') continue;
    const known = types.get(name);
    types.set(name, known === undefined ? type : `${known}|${type}`);
  }
  return types;
}

/**
 * What `SELECT * FROM m GROUP BY *` tells, one line a point, sorted, so that two replicas can be compared as text:
 * `cpu {"host":"a"} 1700000000000000000 value:integer=9007199254740993`. Types are part of it because JSON writes
 * the integer 5 and the float 5 alike.
 */
export function canonicalRows(answer: InfluxqlAnswer<ExactValue>, types: FieldTypes): string[] {
  return (answer.results ?? [])
    .flatMap((result) => result.series ?? [])
    .flatMap((series) => rowsOf(series, types))
    .sort();
}

function rowsOf(series: InfluxqlSeries<ExactValue>, types: FieldTypes): string[] {
  const tags = Object.entries(series.tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const head = `${series.name} ${JSON.stringify(Object.fromEntries(tags))}`;
  return (series.values ?? []).map((row) => {
    const time = valueText(row[series.columns.indexOf('time')] ?? null);
    const fields = series.columns
      .flatMap((name, at) => fieldText(name, row[at] ?? null, types))
      .sort();
    return [head, time, ...fields].join(' ');
  });
}

function fieldText(name: string, value: ExactValue, types: FieldTypes): string[] {
  if (name === 'time' || value === null) return [];
  return [`${name}:${types.get(name) ?? '?'}=${valueText(value)}`];
}

function valueText(value: ExactValue): string {
  return value instanceof NumberText ? value.text : JSON.stringify(value);
}
