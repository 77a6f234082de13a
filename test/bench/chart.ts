export interface Axis {
  /** With its unit. */
  readonly label: string;
  readonly scale: 'linear' | 'log';
}

/** One measured line. */
export interface Curve {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** In the order of x. A linear axis begins at 0. */
  readonly points: readonly Point[];
}

export type Point = readonly [x: number, y: number];

const COLUMNS = 3;
const PANEL = { width: 290, height: 220 };
/** Around the plot, within its panel. */
const MARGIN = { left: 52, right: 18, top: 34, bottom: 44 };
const PLOT = {
  width: PANEL.width - MARGIN.left - MARGIN.right,
  height: PANEL.height - MARGIN.top - MARGIN.bottom,
};
const CAPTION_HEIGHT = 26;

const STYLE = `
  text { font: 11px sans-serif; fill: #333; text-anchor: middle }
  .left { text-anchor: end }
  .title { font-weight: bold; fill: #000 }
  .grid { stroke: #ddd }
  .axis { stroke: #333 }
  .curve { stroke: #1f6fb4; stroke-width: 2; fill: none }
  .point { fill: #1f6fb4 }`;

/** A picture of small panels, one a curve, with one line of text below. */
export function svgOf(curves: readonly Curve[], caption: string): string {
  const width = COLUMNS * PANEL.width;
  const panelsHeight = Math.ceil(curves.length / COLUMNS) * PANEL.height;
  const height = panelsHeight + CAPTION_HEIGHT;
  const panels = curves.map((curve, index) => {
    const left = (index % COLUMNS) * PANEL.width;
    const top = Math.floor(index / COLUMNS) * PANEL.height;
    return `<g transform="translate(${left + MARGIN.left} ${top + MARGIN.top})">\n${panelOf(curve)}\n</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<style>${STYLE}\n</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panels,
    textAt([width / 2, panelsHeight + 12], caption),
    '</svg>\n',
  ].join('\n');
}

function panelOf({ title, x, y, points }: Curve): string {
  const xs = points.map(([value]) => value);
  const xScale = scaleOf(x, xs, PLOT.width);
  const yScale = scaleOf(
    y,
    points.map(([, value]) => value),
    PLOT.height,
  );
  const placed = points.map(([a, b]): Point => [xScale.at(a), PLOT.height - yScale.at(b)]);
  const xTicks = new Set(x.scale === 'log' ? xs : xScale.ticks);
  return [
    textAt([PLOT.width / 2, -16], title, 'class="title"'),
    ...yScale.ticks.flatMap((tick) => {
      const top = PLOT.height - yScale.at(tick);
      return [
        line('grid', [0, top], [PLOT.width, top]),
        textAt([-6, top + 4], short(tick), 'class="left"'),
      ];
    }),
    ...[...xTicks].flatMap((tick) => {
      const left = xScale.at(tick);
      return [
        line('axis', [left, PLOT.height], [left, PLOT.height + 4]),
        textAt([left, PLOT.height + 16], short(tick)),
      ];
    }),
    line('axis', [0, PLOT.height], [PLOT.width, PLOT.height]),
    textAt([PLOT.width / 2, PLOT.height + 33], x.label),
    textAt([0, 0], y.label, `transform="translate(-38 ${PLOT.height / 2}) rotate(-90)"`),
    `<polyline class="curve" points="${placed.map((point) => point.map(pixel).join()).join(' ')}"/>`,
    ...placed.map(([a, b]) => `<circle class="point" cx="${pixel(a)}" cy="${pixel(b)}" r="3"/>`),
  ].join('\n');
}

interface Scale {
  /** Pixels from the axis' origin. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function scaleOf({ scale }: Axis, values: readonly number[], pixels: number): Scale {
  if (scale === 'log') return logScale(Math.min(...values), Math.max(...values), pixels);
  const step = roundStep(Math.max(...values, Number.MIN_VALUE) / 4);
  const count = Math.ceil(Math.max(...values) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { at: (value) => (value / (count * step)) * pixels, ticks };
}

/** From the power of ten at or below the least value to the greatest one, with a tick at each power of ten. */
function logScale(least: number, most: number, pixels: number): Scale {
  const low = Math.floor(Math.log10(least));
  const high = Math.max(low + 1, Math.log10(most));
  const ticks = Array.from(
    { length: Math.floor(high) - low + 1 },
    (_, index) => 10 ** (low + index),
  );
  return { at: (value) => ((Math.log10(value) - low) / (high - low)) * pixels, ticks };
}

/** 1, 2 or 5 times a power of ten, not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

function short(value: number): string {
  return value >= 1_000 ? `${value / 1_000}k` : String(Number(value.toPrecision(3)));
}

function line(kind: string, [x1, y1]: Point, [x2, y2]: Point): string {
  return `<line class="${kind}" x1="${pixel(x1)}" y1="${pixel(y1)}" x2="${pixel(x2)}" y2="${pixel(y2)}"/>`;
}

/** Centred, unless its class says otherwise. */
function textAt([x, y]: Point, text: string, attributes = ''): string {
  return `<text x="${pixel(x)}" y="${pixel(y)}" ${attributes}>${escaped(text)}</text>`;
}

const pixel = (value: number): string => value.toFixed(1);

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
