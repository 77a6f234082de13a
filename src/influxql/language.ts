import type { Rule } from './draft.ts';
import { on } from './clauses.ts';
import * as manage from './manage.ts';
import { explain, select } from './select.ts';
import * as show from './show.ts';
import type { StatementType } from './statement.ts';

/** A statement type and the rules that read it, in order. A rule may narrow the type: `select` to `select into`. */
export interface Row {
  readonly type: StatementType;
  readonly rules: readonly Rule[];
}

/** What may come next: a keyword, or OTHERWISE, which reads nothing. */
export type Branch = ReadonlyMap<string, Branch | Row>;

export const OTHERWISE = '';

type Tree = { readonly [word: string]: Tree | Row };

/** Every statement of the 1.x language by its first words. The order of words is that of InfluxDB's errors. */
export const LANGUAGE: Branch = branch({
  SELECT: row('select', select),
  DELETE: row('delete', manage.deletion),
  SHOW: {
    CONTINUOUS: { QUERIES: row('show continuous queries') },
    DATABASES: row('show databases'),
    DIAGNOSTICS: row('show diagnostics', manage.ofModule),
    FIELD: {
      KEY: counted('show field key cardinality', show.cardinality),
      KEYS: row('show field keys', ...show.showFieldKeys),
    },
    GRANTS: { FOR: row('show grants', manage.subject) },
    MEASUREMENT: counted('show measurement cardinality', show.cardinality),
    MEASUREMENTS: row('show measurements', ...show.showMeasurements),
    QUERIES: row('show queries'),
    RETENTION: { POLICIES: row('show retention policies', on) },
    SERIES: {
      EXACT: {
        CARDINALITY: row('show series cardinality', ...show.exactly(show.cardinality)),
        [OTHERWISE]: row('show series', ...show.showSeries), // InfluxDB swallows the EXACT
      },
      CARDINALITY: row('show series cardinality', ...show.cardinality),
      [OTHERWISE]: row('show series', ...show.showSeries),
    },
    SHARD: { GROUPS: row('show shard groups') },
    SHARDS: row('show shards'),
    STATS: row('show stats', manage.ofModule),
    SUBSCRIPTIONS: row('show subscriptions'),
    TAG: {
      KEY: counted('show tag key cardinality', show.cardinality),
      KEYS: row('show tag keys', ...show.showTagKeys),
      VALUES: {
        ...counted('show tag values cardinality', show.cardinalityWithKey),
        [OTHERWISE]: row('show tag values', ...show.showTagValues),
      },
    },
    USERS: row('show users'),
  },
  CREATE: {
    CONTINUOUS: {
      QUERY: row(
        'create continuous query',
        manage.subject,
        manage.onDatabase,
        manage.continuousQuery,
      ),
    },
    DATABASE: row('create database', manage.database, manage.databaseOptions),
    USER: row('create user', manage.subject, manage.newPassword),
    RETENTION: {
      POLICY: row(
        'create retention policy',
        manage.subject,
        manage.onDatabase,
        manage.newPolicyOptions,
      ),
    },
    SUBSCRIPTION: row('create subscription', manage.subject, manage.onPolicy, manage.destinations),
  },
  DROP: {
    CONTINUOUS: { QUERY: row('drop continuous query', manage.subject, manage.onDatabase) },
    DATABASE: row('drop database', manage.database),
    MEASUREMENT: row('drop measurement', manage.dropMeasurement),
    RETENTION: { POLICY: row('drop retention policy', manage.subject, manage.onDatabase) },
    SERIES: row('drop series', manage.dropSeries),
    SHARD: row('drop shard', manage.id),
    SUBSCRIPTION: row('drop subscription', manage.subject, manage.onPolicy),
    USER: row('drop user', manage.subject),
  },
  EXPLAIN: row('explain', explain),
  GRANT: row('grant', manage.grant),
  REVOKE: row('revoke', manage.revoke),
  ALTER: {
    RETENTION: {
      POLICY: row(
        'alter retention policy',
        manage.alteredPolicy,
        manage.onDatabase,
        manage.alteredOptions,
      ),
    },
  },
  SET: { PASSWORD: { FOR: row('set password', manage.subject, manage.changedPassword) } },
  KILL: { QUERY: row('kill query', manage.id, manage.onHost) },
});

function row(type: StatementType, ...rules: readonly Rule[]): Row {
  return { type, rules };
}

function counted(type: StatementType, rules: readonly Rule[]): Tree {
  return {
    EXACT: { CARDINALITY: row(type, ...show.exactly(rules)) },
    CARDINALITY: row(type, ...rules),
  };
}

function branch(tree: Tree): Branch {
  return new Map(
    Object.entries(tree).map(([word, next]) => [word, isRow(next) ? next : branch(next)]),
  );
}

function isRow(node: Tree | Row): node is Row {
  return 'rules' in node;
}
