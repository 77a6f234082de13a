import { budgetText, isMet, isAboutSpeed, type Row, type Section, textOf } from './report.ts';

/** The figures by which write cases are compared. */
const COLUMNS = [
  'lines/s',
  'lines/s, times nginx',
  'CPU seconds per million lines',
  'p99 ms',
  'peak RSS MB',
];

/** Two small tables in Markdown, for the README: the write cases side by side, then whatever else has a budget. */
export function summaryOf(machine: string, sections: readonly Section[]): string {
  const isWrites = ({ rows }: Section): boolean => rows.some(({ figure }) => figure === COLUMNS[0]);
  const writes = sections
    .filter(isWrites)
    .map(({ id, title, rows }) => [
      `(${id}) ${title}`,
      ...COLUMNS.map((column) => cellOf(rows.find(({ figure }) => figure === column))),
    ]);
  const others = sections
    .filter((section) => !isWrites(section))
    .flatMap(({ title, rows }) =>
      rows.filter(isAboutSpeed).map((row) => [title, row.figure, cellOf(row)]),
    );
  return [
    `${machine}. In brackets the budget; **bold** where it is missed.`,
    tableOf(['writes', ...COLUMNS], writes),
    `${tableOf(['', '', 'measured'], others)}\n`,
  ].join('\n\n');
}

function cellOf(row: Row | undefined): string {
  if (row === undefined) return '';
  const text = textOf(row.own, row.format);
  const budget = row.budget === undefined ? '' : ` (${budgetText(row)})`;
  return `${isMet(row) ? text : `**${text}**`}${budget}`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const ruler = head.map((_, place) => (place === 0 ? '---' : '--:'));
  return [head, ruler, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
