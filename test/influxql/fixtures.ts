import { readFileSync } from 'node:fs';
import type { Source, Statement, Target } from '../../src/influxql/statement.ts';

/** What InfluxDB's own parser said of a text. */
export interface Verdict {
  readonly ok: boolean;
  readonly error: string | null;
  readonly statements: readonly OracleStatement[];
}

export interface OracleStatement {
  readonly type: string;
  readonly class: string;
  readonly mutates: boolean;
  readonly measurements: readonly OracleSource[];
  readonly into: OracleTarget | null;
  readonly subInto?: readonly OracleTarget[];
  readonly hasSubquery: boolean;
  readonly db: string;
  readonly raw?: boolean;
  readonly calls?: readonly string[];
  readonly groupBy?: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
  readonly slimit?: number;
  readonly soffset?: number;
  readonly desc?: boolean;
  readonly hasWhere?: boolean;
  readonly exact?: boolean;
  readonly name?: string;
  readonly tz?: string;
}

interface OracleSource {
  readonly db: string;
  readonly rp: string;
  readonly name: string;
  readonly regex: string | null;
  readonly depth: number;
}

interface OracleTarget {
  readonly db: string;
  readonly rp: string;
  readonly name: string;
  readonly backref: boolean;
}

export interface CorpusLine extends Verdict {
  readonly id: string;
  readonly q: string;
  readonly params?: unknown;
  /** The statements of a batch, each as a text of its own. */
  readonly parts?: readonly string[];
  /** The newest parser's verdict where it differs. */
  readonly v14?: Verdict;
}

export interface BypassLine {
  readonly id: string;
  readonly note: string;
  readonly q: string;
  readonly oracle: Verdict;
}

/** Statements of all kinds, right and wrong. */
export function corpus(): readonly CorpusLine[] {
  return lines('corpus.jsonl') as readonly CorpusLine[];
}

/** Texts that talk other proxies past their filters, and harmless ones that look like them. */
export function bypasses(): readonly BypassLine[] {
  return lines('bypass.jsonl') as readonly BypassLine[];
}

function lines(file: string): readonly unknown[] {
  // From dist/test/influxql to the source tree.
  const url = new URL(`../../../test/fixtures/influxql/${file}`, import.meta.url);
  const texts = readFileSync(url, 'utf8').split('\n');
  return texts.filter((text) => text !== '').map((text) => JSON.parse(text) as unknown);
}

/** The parts of a statement on which our parser and InfluxDB's must agree, in one shape for both. */
export function ours(statement: Statement): Record<string, unknown> {
  return {
    type: statement.type,
    class: statement.effect,
    measurements: statement.sources.map(source),
    into: statement.into === undefined ? null : target(statement.into),
    subInto: statement.ignoredTargets.map(target),
    hasSubquery: statement.subqueries.length > 0,
    db: statement.database?.value ?? '',
    raw: statement.raw,
    calls: [...statement.calls].sort(),
    groups: statement.dimensions.length,
    limit: statement.limit?.value ?? 0,
    offset: statement.offset?.value ?? 0,
    slimit: statement.slimit?.value ?? 0,
    soffset: statement.soffset?.value ?? 0,
    desc: statement.descending,
    hasWhere: statement.where !== undefined,
    exact: statement.exact,
  };
}

export function theirs(statement: OracleStatement): Record<string, unknown> {
  return {
    type: statement.type.replaceAll('_', ' '),
    class: statement.class,
    measurements: statement.measurements,
    into: statement.into,
    subInto: statement.subInto ?? [],
    hasSubquery: statement.hasSubquery,
    db: statement.db.replace(/^\*\..*/, '*'), // the policy of ON *.rp is apart
    raw: statement.raw ?? true,
    calls: statement.calls ?? [],
    groups: statement.groupBy?.length ?? 0,
    limit: statement.limit ?? 0,
    offset: statement.offset ?? 0,
    slimit: statement.slimit ?? 0,
    soffset: statement.soffset ?? 0,
    desc: statement.desc ?? false,
    hasWhere: statement.hasWhere ?? false,
    exact: statement.exact ?? false,
  };
}

function source({ db, rp, name, regex, depth }: Source): OracleSource {
  const names = { db: db?.value ?? '', rp: rp?.value ?? '', name: name ?? '' };
  return { ...names, regex: regex ?? null, depth };
}

function target({ db, rp, name, backref }: Target): OracleTarget {
  return { db: db?.value ?? '', rp: rp?.value ?? '', name, backref };
}
