import { groupBy, limit, offset, on, orderBy, slimit, soffset, where } from './clauses.ts';
import type { Cursor } from './cursor.ts';
import type { Rule, Scope } from './draft.ts';
import { from, plainSource } from './names.ts';

const PAGE: readonly Rule[] = [where, orderBy, limit, offset];

/** The rules of the statements that look at the schema, by what they end in. */
export const showSeries: readonly Rule[] = [on, from, ...PAGE];
export const showMeasurements: readonly Rule[] = [onPattern, withMeasurement, ...PAGE];
export const showTagKeys: readonly Rule[] = [on, from, optionalWithKey, ...PAGE, slimit, soffset];
export const showTagValues: readonly Rule[] = [on, from, withKey, ...PAGE];
export const showFieldKeys: readonly Rule[] = [on, from, orderBy, limit, offset];

const COUNTED: readonly Rule[] = [where, groupBy, limit, offset];
export const cardinality: readonly Rule[] = [on, from, ...COUNTED];
export const cardinalityWithKey: readonly Rule[] = [on, from, withKey, ...COUNTED];

/** A rule list after the word EXACT. */
export function exactly(rules: readonly Rule[]): readonly Rule[] {
  return [(_, { statement }) => (statement.exact = true), ...rules];
}

/** `ON db`, and since InfluxDB 1.12 `ON db.rp` with a star for either. */
function onPattern(cursor: Cursor, { statement }: Scope): void {
  if (cursor.takeIf('ON') === undefined) return;
  const database = cursor.expect('IDENT', '*');
  statement.everyDatabase = database.kind === '*';
  const { start, end, kind, value } = database;
  statement.database = { value: kind === '*' ? '*' : value, start, end };
  if (cursor.takeIf('.') === undefined) return;
  const policy = cursor.expect('IDENT', '*');
  const policyName = policy.kind === '*' ? '*' : policy.value;
  statement.policy = { value: policyName, start: policy.start, end: policy.end };
}

function withMeasurement(cursor: Cursor, scope: Scope): void {
  if (cursor.takeIf('WITH') === undefined) return;
  cursor.expect('MEASUREMENT');
  cursor.expect('=', '=~');
  plainSource(cursor, scope);
}

/** SHOW TAG KEYS has it since InfluxDB 1.12. */
function optionalWithKey(cursor: Cursor): void {
  if (cursor.peek().kind === 'WITH') withKey(cursor);
}

function withKey(cursor: Cursor): void {
  cursor.expect('WITH');
  cursor.expect('KEY');
  if (cursor.takeIf('IN') !== undefined) {
    keyList(cursor);
  } else if (cursor.takeIf('=') !== undefined || cursor.takeIf('!=') !== undefined) {
    cursor.name();
  } else if (cursor.takeIf('=~') !== undefined || cursor.takeIf('!~') !== undefined) {
    if (cursor.takeRegex() === undefined) cursor.fail(['regex']);
  } else {
    cursor.fail(['IN', '=', '=~']);
  }
}

function keyList(cursor: Cursor): void {
  cursor.expect('(');
  do cursor.name();
  while (cursor.takeIf(',') !== undefined);
  cursor.expect(')');
}
