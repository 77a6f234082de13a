import { cpus, release, totalmem } from 'node:os';
import type { BenchCase, Budget } from './cases.ts';
import type { Delivery } from './delivery.ts';
import type { Figures, Measured } from './measure.ts';

export interface CaseReport {
  readonly benchCase: BenchCase;
  readonly measured: readonly Measured[];
}

export interface Report {
  readonly machine: string;
  readonly cases: readonly CaseReport[];
  readonly delivery: Delivery;
  /** Times that a proxy thought a sink slow or down and wrote to disk instead; such runs measure something else. */
  readonly spilled: number;
}

/** The names of the servers in the table and in the JSON. */
export const PROXY = 'influx-proxy';
export const PLAIN_PROXY = 'influx-proxy, gzip: false';
export const NGINX = 'nginx to one sink';
export const BARE = 'bare node:http';

export function machineName(): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${model}, ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}

interface Column {
  readonly title: string;
  /** Undefined: this server has no such figure. */
  readonly valueOf: (own: Figures, all: CaseReport) => number | undefined;
  readonly textOf: (value: number) => string;
  readonly limitOf: (budget: Budget) => { atLeast?: number; atMost?: number };
}

const millions = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
const two = (value: number): string => value.toFixed(2);
const one = (value: number): string => value.toFixed(1);

const COLUMNS: readonly Column[] = [
  {
    title: 'lines/s',
    valueOf: (own) => own.linesPerSecond,
    textOf: millions,
    limitOf: ({ minLinesPerSecond }) => atLeast(minLinesPerSecond),
  },
  {
    title: 'x nginx',
    valueOf: (own, all) => ratioTo(NGINX, own, all),
    textOf: two,
    limitOf: ({ minTimesNginx }) => atLeast(minTimesNginx),
  },
  {
    title: 'x bare',
    valueOf: (own, all) => ratioTo(BARE, own, all),
    textOf: two,
    limitOf: ({ minTimesBare }) => atLeast(minTimesBare),
  },
  {
    title: 'CPU s/M lines',
    valueOf: (own) => own.cpuPerMillion,
    textOf: two,
    limitOf: ({ maxCpuPerMillion }) => atMost(maxCpuPerMillion),
  },
  { title: 'p50 ms', valueOf: (own) => own.p50Ms, textOf: one, limitOf: () => ({}) },
  {
    title: 'p99 ms',
    valueOf: (own) => own.p99Ms,
    textOf: one,
    limitOf: ({ maxP99Ms }) => atMost(maxP99Ms),
  },
  {
    title: 'peak RSS MB',
    valueOf: (own) => own.peakRssMb,
    textOf: (value) => value.toFixed(0),
    limitOf: ({ maxPeakRssMb }) => atMost(maxPeakRssMb),
  },
  { title: 'errors', valueOf: (own) => own.errors, textOf: String, limitOf: () => ({ atMost: 0 }) },
];

/** One table for people. A figure that misses its budget, which stands in the row below, is marked with `!`. */
export function tableOf(report: Report): string {
  const rows = [['', ...COLUMNS.map(({ title }) => title)]];
  for (const caseReport of report.cases) rows.push(...rowsOf(caseReport));
  return [`on ${report.machine}`, '', ...aligned(rows), '', ...footOf(report), ''].join('\n');
}

/** Whether all points arrived and none was refused. Speed has no say. */
export function isCorrect({ cases, delivery }: Report): boolean {
  const { refused, missing, repeated, altered } = delivery;
  const errors = cases.flatMap(({ measured }) => measured.map(({ figures }) => figures.errors));
  return refused + missing + repeated + altered === 0 && errors.every((count) => count === 0);
}

function rowsOf(report: CaseReport): string[][] {
  const { id, title, budget, plainBudget } = report.benchCase;
  const rows = [[`(${id}) ${title}`]];
  for (const { server, figures } of report.measured) {
    const own = server === PROXY ? budget : server === PLAIN_PROXY ? plainBudget : undefined;
    rows.push([
      `  ${server}`,
      ...COLUMNS.map((column) => figureCell(column, figures, report, own)),
    ]);
    if (own !== undefined)
      rows.push(['    budget', ...COLUMNS.map((column) => budgetCell(column, own))]);
  }
  return rows;
}

function figureCell(
  { valueOf, textOf, limitOf }: Column,
  figures: Figures,
  report: CaseReport,
  budget: Budget = {},
): string {
  const value = valueOf(figures, report);
  if (value === undefined) return '';
  const { atLeast: least = -Infinity, atMost: most = Infinity } = limitOf(budget);
  return `${textOf(value)}${value < least || value > most ? '!' : ' '}`;
}

function budgetCell({ textOf, limitOf }: Column, budget: Budget): string {
  const { atLeast: least, atMost: most } = limitOf(budget);
  if (least !== undefined) return `>= ${textOf(least)} `;
  return most === undefined ? '' : `<= ${textOf(most)} `;
}

function ratioTo(reference: string, own: Figures, { measured }: CaseReport): number | undefined {
  const other = measured.find(({ server }) => server === reference)?.figures;
  return other === undefined || other === own
    ? undefined
    : own.linesPerSecond / other.linesPerSecond;
}

function atLeast(limit: number | undefined): { atLeast?: number } {
  return limit === undefined ? {} : { atLeast: limit };
}

function atMost(limit: number | undefined): { atMost?: number } {
  return limit === undefined ? {} : { atMost: limit };
}

/** The first column to the left, figures to the right; a title alone in its row may be longer than the column. */
function aligned(rows: readonly string[][]): string[] {
  const widths = ['', ...COLUMNS].map((_, place) =>
    Math.max(...rows.filter(({ length }) => length > 1).map((row) => row[place]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, place) =>
        place === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[place] ?? 0) + 2),
      )
      .join('')
      .trimEnd(),
  );
}

function footOf({ delivery, spilled }: Report): string[] {
  const { acknowledged, refused, missing, repeated, altered } = delivery;
  const count = (lines: number): string => lines.toLocaleString('en');
  return [
    `delivery: ${count(acknowledged)} lines acknowledged, ${count(refused)} refused; over both sinks ` +
      `${count(missing)} missing, ${count(repeated)} repeated, ${count(altered)} altered`,
    `spilled: ${spilled} times`,
  ];
}
