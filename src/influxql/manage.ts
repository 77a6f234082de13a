import { on, where } from './clauses.ts';
import { SyntaxFault, type Cursor } from './cursor.ts';
import { spanFrom, type Rule, type Scope } from './draft.ts';
import { from } from './names.ts';
import { parseDuration, parseUint64 } from './numbers.ts';
import { continuousSelect } from './select.ts';

// Statements that change data, schema, users or servers.

const MAX_REPLICATION = 2 ** 31 - 1;

// Deleting data

export const deletion: Rule = (cursor, scope) => {
  const first = cursor.peek();
  from(cursor, scope);
  where(cursor, scope);
  const { sources } = scope.statement;
  if (sources.some(({ db }) => db !== undefined)) {
    throw new SyntaxFault('database not supported at line 1, char 1');
  }
  if (sources.length === 0 && scope.clauses.where === undefined) {
    cursor.fail(['FROM', 'WHERE'], first);
  }
};

/** InfluxDB 1.12 allows a policy in DELETE, no version allows one here. */
export const dropSeries: Rule = (cursor, scope) => {
  deletion(cursor, scope);
  if (scope.statement.sources.some(({ rp }) => rp !== undefined)) {
    throw new SyntaxFault('retention policy not supported at line 1, char 1');
  }
};

export const dropMeasurement: Rule = (cursor, { statement, depth }) => {
  const { value, ...span } = cursor.name();
  const source = { db: undefined, rp: undefined, name: value, regex: undefined, depth };
  statement.sources.push({ ...source, ...span });
};

// Names

export const subject: Rule = (cursor, { statement }) => {
  statement.subject = cursor.name();
};

export const database: Rule = (cursor, { statement }) => {
  statement.database = cursor.name();
};

export const onDatabase: Rule = (cursor, scope) => {
  cursor.expect('ON');
  database(cursor, scope);
};

/** `ON db.rp`, without a blank before the dot. */
export const onPolicy: Rule = (cursor, scope) => {
  onDatabase(cursor, scope);
  if (cursor.takeRawIf('.') === undefined) cursor.fail(['.'], cursor.raw());
  scope.statement.policy = cursor.name();
};

/** DROP SHARD 7, KILL QUERY 7: ids differ from server to server. */
export const id: Rule = (cursor) => {
  const token = cursor.expect('INTEGER');
  if (!/^\d/.test(token.value) || parseUint64(token.value) === undefined) {
    cursor.failWith(`strconv.ParseUint: parsing "${token.value}": value out of range`, token);
  }
};

export const onHost: Rule = (cursor) => {
  if (cursor.takeIf('ON') !== undefined) cursor.name();
};

export const ofModule: Rule = (cursor) => {
  if (cursor.takeIf('FOR') !== undefined) cursor.expect('STRING');
};

// Databases and retention policies

export const databaseOptions: Rule = (cursor) => {
  if (cursor.takeIf('WITH') === undefined) return;
  const before = cursor.at;
  option(cursor, 'DURATION', retention);
  option(cursor, 'REPLICATION', replication);
  option(cursor, 'SHARD', databaseShardDuration);
  writeLimits(cursor);
  option(cursor, 'NAME', (at) => at.name());
  if (cursor.at === before) cursor.fail(['DURATION', 'NAME', 'REPLICATION', 'SHARD']);
};

export const newPolicyOptions: Rule = (cursor) => {
  cursor.expect('DURATION');
  retention(cursor);
  cursor.expect('REPLICATION');
  replication(cursor);
  option(cursor, 'SHARD', shardDuration);
  cursor.takeIf('DEFAULT');
  writeLimits(cursor);
};

/** The policy may be the keyword DEFAULT, which means the policy of that name. */
export const alteredPolicy: Rule = (cursor, { statement }) => {
  const { start, end, kind, value } = cursor.peek();
  if (kind !== 'DEFAULT') statement.subject = cursor.name();
  else statement.subject = { value: value === '' ? 'default' : value, start, end };
  if (kind === 'DEFAULT') cursor.take();
};

export const alteredOptions: Rule = (cursor) => {
  const seen = new Set<string>();
  for (;;) {
    const token = cursor.peek();
    const word = policyOption(cursor);
    if (word === undefined) break;
    if (seen.has(word)) cursor.failWith(`found duplicate ${word} option`, token);
    seen.add(word);
  }
  if (seen.size === 0) cursor.fail(['DURATION', 'REPLICATION', 'SHARD', 'DEFAULT']);
};

/** Reads one option, in any order, and names it. */
function policyOption(cursor: Cursor): string | undefined {
  if (option(cursor, 'DURATION', retention)) return 'DURATION';
  if (option(cursor, 'REPLICATION', replication)) return 'REPLICATION';
  if (option(cursor, 'SHARD', shardDuration)) return 'SHARD';
  if (cursor.takeIf('DEFAULT') !== undefined) return 'DEFAULT';
  return ['FUTURE', 'PAST'].find((word) => writeLimit(cursor, word));
}

function option(
  cursor: Cursor,
  word: 'DURATION' | 'REPLICATION' | 'SHARD' | 'NAME',
  value: (cursor: Cursor) => unknown,
): boolean {
  if (cursor.takeIf(word) === undefined) return false;
  value(cursor);
  return true;
}

function retention(cursor: Cursor): bigint {
  const token = cursor.peek();
  if (cursor.takeIf('INF') !== undefined) return 0n;
  const result = parseDuration(cursor.expect('DURATIONVAL').value);
  return result.ok ? result.nanoseconds : cursor.failWith(result.error, token);
}

function replication(cursor: Cursor): void {
  const token = cursor.expect('INTEGER');
  const n = Number(token.value);
  if (n >= 1 && n <= MAX_REPLICATION) return;
  cursor.failWith(`invalid value ${n}: must be 1 <= n <= ${MAX_REPLICATION}`, token);
}

function databaseShardDuration(cursor: Cursor): void {
  cursor.expect('DURATION');
  retention(cursor);
}

/** In a policy of its own INF is no shard duration; in CREATE DATABASE it is. */
function shardDuration(cursor: Cursor): void {
  cursor.expect('DURATION');
  const token = cursor.peek();
  if (token.kind === 'INF') cursor.failWith('invalid duration INF for shard duration', token);
  retention(cursor);
}

/** FUTURE LIMIT and PAST LIMIT, of InfluxDB 1.12. */
function writeLimits(cursor: Cursor): void {
  writeLimit(cursor, 'FUTURE');
  writeLimit(cursor, 'PAST');
}

function writeLimit(cursor: Cursor, word: string): boolean {
  if (!cursor.takeWord(word)) return false;
  cursor.expect('LIMIT');
  retention(cursor);
  return true;
}

// Continuous queries and subscriptions

export const continuousQuery: Rule = (cursor, scope) => {
  if (cursor.takeIf('RESAMPLE') !== undefined) resample(cursor);
  cursor.expect('BEGIN');
  continuousSelect(cursor, scope);
  cursor.expect('END');
};

function resample(cursor: Cursor): void {
  const every = cursor.takeIf('EVERY') === undefined ? 0n : interval(cursor);
  const span = cursor.takeIf('FOR') === undefined ? 0n : interval(cursor);
  if (every === 0n && span === 0n) cursor.fail(['EVERY', 'FOR']);
}

function interval(cursor: Cursor): bigint {
  if (cursor.peek().kind !== 'DURATIONVAL') cursor.fail(['duration']);
  return retention(cursor);
}

export const destinations: Rule = (cursor) => {
  cursor.expect('DESTINATIONS');
  cursor.expect('ALL', 'ANY');
  do cursor.expect('STRING');
  while (cursor.takeIf(',') !== undefined);
};

// Users

export const newPassword: Rule = (cursor, scope) => {
  cursor.expect('WITH');
  cursor.expect('PASSWORD');
  secret(cursor, scope);
  if (cursor.takeIf('WITH') === undefined) return;
  cursor.expect('ALL');
  cursor.expect('PRIVILEGES');
};

export const changedPassword: Rule = (cursor, scope) => {
  cursor.expect('=');
  secret(cursor, scope);
};

function secret(cursor: Cursor, { statement }: Scope): void {
  const { start } = cursor.expect('STRING');
  statement.secrets.push(spanFrom(start, cursor));
}

export const grant: Rule = (cursor, scope) => {
  privilege(cursor, scope, 'TO');
};

export const revoke: Rule = (cursor, scope) => {
  privilege(cursor, scope, 'FROM');
};

/** `ALL` without ON makes or unmakes an administrator. */
function privilege(cursor: Cursor, scope: Scope, word: 'TO' | 'FROM'): void {
  const all = readPrivilege(cursor);
  if (cursor.peek().kind === 'ON') on(cursor, scope);
  else if (all && cursor.peek().kind === word) makeAdmin(scope);
  else cursor.fail(all ? ['ON', word] : ['ON']);
  cursor.expect(word);
  subject(cursor, scope);
}

function readPrivilege(cursor: Cursor): boolean {
  if (cursor.takeIf('READ') !== undefined || cursor.takeIf('WRITE') !== undefined) return false;
  if (cursor.takeIf('ALL') === undefined) cursor.fail(['READ', 'WRITE', 'ALL [PRIVILEGES]']);
  cursor.takeIf('PRIVILEGES');
  return true;
}

function makeAdmin({ statement }: Scope): void {
  statement.type = statement.type === 'grant' ? 'grant admin' : 'revoke admin';
}
