import { cpus, release, totalmem } from 'node:os';

/** What a figure is held against; DESIGN names it "budget". `exactly` is about correctness, the others about speed. */
export type Budget =
  { readonly atLeast: number } | { readonly atMost: number } | { readonly exactly: number };

/** How a number is written; the name of the figure says the unit. */
export type Format = (value: number) => string;

/** One figure of the proxy, beside what others showed in the same run. */
export interface Row {
  readonly figure: string;
  readonly format: Format;
  /** NaN or infinite: it never came to it. */
  readonly own: number;
  /** nginx as a plain reverse proxy, a bare `node:http` server, or no proxy at all. */
  readonly nginx?: number | undefined;
  readonly bare?: number | undefined;
  readonly direct?: number | undefined;
  readonly budget?: Budget | undefined;
  readonly note?: string | undefined;
  /** The curve that the figure is taken from; in the JSON only. */
  readonly points?: readonly (readonly [x: number, y: number])[] | undefined;
}

/** One case and its figures. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

export const millions: Format = (value) => `${(value / 1e6).toFixed(2)} M`;
export const decimals =
  (count: number): Format =>
  (value) =>
    value.toFixed(count);
export const whole: Format = (value) => Math.round(value).toLocaleString('en');

/** A row that must hold for the proxy to be correct at all, however slow: lost lines, errors. */
export function mustBe(figure: string, exactly: number, own: number): Row {
  return { figure, format: whole, own, budget: { exactly } };
}

export function machineName(): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${model}, ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}

/** Whether all points arrived and none was refused. Speed has no say. */
export function isCorrect(sections: readonly Section[]): boolean {
  return sections.every(({ rows }) => rows.every((row) => isAboutSpeed(row) || isMet(row)));
}

/** Held against a limit, but not one that correctness depends on. */
export function isAboutSpeed({ budget }: Row): boolean {
  return budget !== undefined && !('exactly' in budget);
}

const HEAD = ['', 'influx-proxy', 'nginx', 'bare node', 'direct', 'budget', ''];

/** One table for people. */
export function tableOf(sections: readonly Section[]): string {
  const rows = [HEAD];
  for (const { id, title, rows: own } of sections) {
    rows.push([`(${id}) ${title}`], ...own.map(cellsOf));
  }
  return `${aligned(rows).join('\n')}\n`;
}

/** The same for programs. JSON knows no NaN and no functions: what never came is null, formats are left out. */
export function jsonOf(machine: string, sections: readonly Section[]): string {
  const plain = sections.map(({ rows, ...section }) => ({
    ...section,
    rows: rows.map((row) => ({ ...row, verdict: verdictOf(row) })),
  }));
  return `${JSON.stringify({ machine, sections: plain }, undefined, 2)}\n`;
}

function cellsOf(row: Row): string[] {
  const { figure, format, own, nginx, bare, direct, note = '' } = row;
  const figures = [own, nginx, bare, direct].map((value) => textOf(value, format));
  return [`    ${figure}`, ...figures, budgetText(row), [verdictOf(row), note].join('  ').trim()];
}

export function textOf(value: number | undefined, format: Format): string {
  if (value === undefined) return '';
  return Number.isFinite(value) ? format(value) : 'never';
}

export function budgetText({ budget, format }: Row): string {
  if (budget === undefined) return '';
  if ('exactly' in budget) return `= ${format(budget.exactly)}`;
  return 'atLeast' in budget ? `>= ${format(budget.atLeast)}` : `<= ${format(budget.atMost)}`;
}

export function isMet({ own, budget }: Pick<Row, 'own' | 'budget'>): boolean {
  if (budget === undefined) return true;
  if ('exactly' in budget) return own === budget.exactly;
  return 'atLeast' in budget ? own >= budget.atLeast : own <= budget.atMost;
}

/** `met`, or by what factor it is missed. */
function verdictOf(row: Pick<Row, 'own' | 'budget'>): string {
  const { own, budget } = row;
  if (budget === undefined) return '';
  if (isMet(row)) return 'met';
  if ('exactly' in budget || !Number.isFinite(own)) return 'MISSED';
  const factor = 'atLeast' in budget ? budget.atLeast / own : own / budget.atMost;
  return `missed ${factor.toFixed(factor < 2 ? 2 : 1)} x`;
}

/** First and last column to the left, figures to the right; a title alone in its row may be longer than its column. */
function aligned(rows: readonly string[][]): string[] {
  const widths = HEAD.map((_, place) =>
    Math.max(...rows.filter(({ length }) => length > 1).map((row) => row[place]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, place) => {
        const width = widths[place] ?? 0;
        if (place === 0) return cell.padEnd(width);
        return `  ${place === HEAD.length - 1 ? cell : cell.padStart(width)}`;
      })
      .join('')
      .trimEnd(),
  );
}
