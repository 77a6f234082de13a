import type { Statement, StatementType } from '../influxql/statement.ts';

/** How the answers of several servers, each about its own measurements, become the answer of one. */
export type Merge =
  /** Series by the name of the measurement, which one server alone answers for. */
  | 'series'
  /** The same, with the names and types of all servers put into the statement first. */
  | 'select'
  /** One series whose rows are names of measurements. */
  | 'names'
  /** One series whose rows are series keys. */
  | 'keys'
  /** One number: of measurements. */
  | 'name count'
  /** One number: of series. */
  | 'key count'
  /** Retention policies, by name. */
  | 'policies'
  /** One series per database, of which only the own one is shown. */
  | 'continuous queries'
  /** Never. */
  | 'none';

const MERGES: Partial<Record<StatementType, Merge>> = {
  select: 'select',
  explain: 'none',
  'explain analyze': 'none',
  'show measurements': 'names',
  'show series': 'keys',
  'show tag keys': 'series',
  'show tag values': 'series',
  'show field keys': 'series',
  'show series cardinality': 'key count',
  'show measurement cardinality': 'name count',
  'show tag key cardinality': 'series',
  'show tag values cardinality': 'series',
  'show field key cardinality': 'series',
  'show retention policies': 'policies',
  'show continuous queries': 'continuous queries',
};

/** Undefined: no statement that reads and may be routed. */
export function mergeOf(statement: Statement): Merge | undefined {
  const isPerMeasurement = statement.type === 'show series cardinality' && !isEstimated(statement);
  return isPerMeasurement ? 'series' : MERGES[statement.type];
}

/** InfluxDB keeps estimates of two numbers of a whole database; whatever narrows the question makes it count. */
export function isEstimated(statement: Statement): boolean {
  const { exact, sources, where, dimensions, limit, offset } = statement;
  const isWhole = sources.length === 0 && where === undefined && dimensions.length === 0;
  return !exact && isWhole && (limit?.value ?? 0) === 0 && (offset?.value ?? 0) === 0;
}

/** A server without the database answers the statement as one without data. */
export function hidesMissingDatabase(statement: Statement): boolean {
  return (
    statement.type === 'show measurements' ||
    (statement.type.endsWith('cardinality') && isEstimated(statement))
  );
}

/** Why the answers of several servers to this statement cannot be merged exactly; undefined: they can. */
export function obstacleTo(statement: Statement, merge: Merge): string | undefined {
  const { dimensions } = statement;
  if (merge === 'none') return 'each server has its own plan';
  if (merge === 'select') return undefined;
  const isWild = dimensions.some(({ kind }) => kind === 'wildcard' || kind === 'regex');
  if (isWild) return 'GROUP BY with a wildcard cannot be merged exactly';
  if (merge === 'name count' && dimensions.length > 0) return 'GROUP BY cannot be merged exactly';
  return undefined;
}
