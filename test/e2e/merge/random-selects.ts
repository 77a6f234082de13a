import { randomFrom } from '../../support/random.ts';

// SELECTs over the measurements of data.ts (but for those with numbers at the edge of a double's range, whose sums make no
// JSON): fields, functions, wildcards, conditions, groups, fills, sub-queries, in any combination.

const NUMBERS = ['usage', 'n', 'used', 'free', 'v', 'w', 'rx', 'load1', 'nothing', 'swap', 'x'];
const FIELDS = [...NUMBERS, 'ok', 'note', 'label', 'kind'];
const TAGS = ['host', 'region', 'rack', 'path', 'nothing2', 'iface', 'kind'];
const SOURCES = [
  ...['cpu', 'mem', 'disk', 'net', 'load', 'temp', 'sparse', 'nothing', '"～"', '"😀"'],
  ...['/^(cpu|mem)$/', '/c|m/', 'long.cpu', 'long.mem', 'typed_ab', 'typed_ac', 'typed_bc'],
  ...['mixed_ab', 'mixed_ac', '/typed|mixed/'],
];
const AGGREGATES = [
  ...['mean', 'count', 'min', 'max', 'first', 'last', 'spread', 'median', 'stddev', 'mode'],
];
const TRANSFORMS = [
  ...['derivative', 'difference', 'cumulative_sum', 'elapsed', 'non_negative_derivative'],
];

export class SelectGenerator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  next(): string {
    return this.#oneOf([
      () => `SELECT ${this.#raw()} FROM ${this.#sources()}${this.#tail(false)}${this.#limits()}`,
      () => this.#aggregation(this.#aggregates()),
      () => `SELECT ${this.#wild()} FROM ${this.#sources()}${this.#tail(false)}${this.#limits()}`,
      () => this.#aggregation(this.#wildAggregate()),
      () => this.#transform(),
      () => this.#nested(),
    ])();
  }

  #aggregation(fields: string): string {
    return `SELECT ${fields} FROM ${this.#sources()}${this.#tail(true)}${this.#limits()}`;
  }

  #transform(): string {
    const field = this.#oneOf(['usage', 'n', 'used', '*']);
    const call = `${this.#oneOf(TRANSFORMS)}(${field})`;
    const time = this.#chance(0.3) ? ' WHERE time < 1m' : '';
    return `SELECT ${call} FROM ${this.#sources()}${time} GROUP BY *`;
  }

  #nested(): string {
    const inner = this.#oneOf([
      () => `SELECT ${this.#raw()} FROM ${this.#sources()}${this.#tail(false)}`,
      () => `SELECT ${this.#aggregates()} FROM ${this.#sources()}${this.#tail(true)}`,
      () => `SELECT ${this.#oneOf(['*', 'usage, *'])} FROM ${this.#sources()}`,
      () => `SELECT mean(usage) AS x, sum(used) AS y FROM ${this.#sources()} GROUP BY host`,
    ])();
    const outer = this.#oneOf([
      () => this.#oneOf(['x', 'y', 'x, y', 'usage', 'usage, used', '*', 'mean', 'x + y']),
      () =>
        `${this.#oneOf(['mean', 'max', 'count', 'first'])}(${this.#oneOf(['x', 'usage', '*', 'mean'])})`,
    ])();
    const beside = this.#oneOf(['cpu', 'mem', '(SELECT used AS x FROM mem)']);
    const condition = this.#oneOf(['x > 0', 'y != 5', "host = 'a'", "note != 'x'", 'usage > 3']);
    const sources = `(${inner})${this.#chance(0.3) ? `, ${beside}` : ''}`;
    const where = this.#chance(0.3) ? ` WHERE ${condition}` : '';
    const groups = this.#chance(0.4) ? ` GROUP BY ${this.#oneOf(['host', '*', 'region'])}` : '';
    return `SELECT ${outer} FROM ${sources}${where}${groups}`;
  }

  #sources(): string {
    return this.#some(3, () => this.#oneOf(SOURCES)).join(', ');
  }

  #raw(): string {
    const field = (): string =>
      this.#oneOf([
        () => this.#oneOf(FIELDS),
        () => this.#oneOf(TAGS),
        () =>
          `${this.#number()} ${this.#oneOf(['+', '-', '*', '/'])} ${this.#oneOf([...NUMBERS, '1.5'])}`,
        () => `${this.#number()} AS ${this.#oneOf(['x', 'y'])}`,
      ])();
    return this.#some(3, field).join(', ');
  }

  #aggregates(): string {
    const call = (): string =>
      this.#oneOf([
        () => `${this.#oneOf([...AGGREGATES, 'distinct'])}(${this.#oneOf(FIELDS)})`,
        () => `${this.#oneOf(AGGREGATES)}(${this.#oneOf(FIELDS)}) AS ${this.#oneOf(['x', 'y'])}`,
        () => `percentile(${this.#number()}, 50)`,
        () => `mean(${this.#number()}) ${this.#oneOf(['+', '*'])} sum(${this.#number()})`,
      ])();
    return this.#some(2, call).join(', ');
  }

  #wild(): string {
    const wildcards = ['*', '*::field', '*::tag', '/usage|n$/', '/^u/', '/o/', '/rack|usage/'];
    return this.#chance(0.2) ? `usage, ${this.#oneOf(wildcards)}` : this.#oneOf(wildcards);
  }

  #wildAggregate(): string {
    const wildcard = this.#oneOf(['*', '*', '/^u/', '/usage|n$/']);
    return this.#oneOf([
      () => `${this.#oneOf(AGGREGATES)}(${wildcard})`,
      () => `percentile(${wildcard}, 50)`,
      () => `mean(${wildcard}), ${this.#oneOf(AGGREGATES)}(usage)`,
    ])();
  }

  #tail(isAggregated: boolean): string {
    const conditions = this.#chance(0.5) ? [this.#condition()] : [];
    if (this.#chance(0.2)) conditions.push(`(${this.#condition()} OR ${this.#condition()})`);
    if (this.#chance(0.3)) conditions.push('time < 1m');
    const groups: string[] = [];
    let fill = '';
    if (isAggregated && this.#chance(0.5)) {
      conditions.push('time >= 0', 'time < 2m');
      groups.push(`time(${this.#oneOf(['20s', '40s', '1m'])})`);
      const fills = ['0', '1', '-1.5', 'null', 'none', 'previous', 'linear', '7'];
      if (this.#chance(0.6)) fill = ` fill(${this.#oneOf(fills)})`;
    }
    const dimensions = [...TAGS, 'host', '*', '/host|rack/', '/region|path/', 'host, region'];
    if (this.#chance(0.5)) groups.push(this.#oneOf(dimensions));
    const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
    return `${where}${groups.length > 0 ? ` GROUP BY ${groups.join(', ')}` : ''}${fill}`;
  }

  #condition(): string {
    const values = ['a', 'b', 'c', 'eu', 'r1', ''];
    return this.#oneOf([
      () => `${this.#oneOf(TAGS)} ${this.#oneOf(['=', '!='])} '${this.#oneOf(values)}'`,
      () => `${this.#oneOf(TAGS)} ${this.#oneOf(['=~', '!~'])} /${this.#oneOf(['a', '^$', '.'])}/`,
      () =>
        `${this.#number()} ${this.#oneOf(['>', '<', '>=', '!=', '='])} ${this.#oneOf(['0', '5', '20.5', '-1'])}`,
      () => `note ${this.#oneOf(['=', '!='])} '${this.#oneOf(['', 'x'])}'`,
      () => `label ${this.#oneOf(['=', '!='])} 'd0'`,
      () => 'ok = true',
      () => `note =~ /${this.#oneOf(['line', '^$'])}/`,
      () => `${this.#number()} + 1 > ${this.#number()}`,
    ])();
  }

  #limits(): string {
    const order = this.#chance(0.2) ? ' ORDER BY time DESC' : '';
    const limit = this.#chance(0.3) ? ` LIMIT ${this.#oneOf(['1', '2', '3'])}` : '';
    const offset = this.#chance(0.1) ? ' OFFSET 1' : '';
    return `${order}${limit}${offset}${this.#chance(0.1) ? ' SLIMIT 1' : ''}`;
  }

  #number(): string {
    return this.#oneOf(NUMBERS);
  }

  /** One to `most` different ones. */
  #some(most: number, make: () => string): string[] {
    const count = 1 + Math.floor(this.#random() * most);
    return [...new Set(Array.from({ length: count }, make))];
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
