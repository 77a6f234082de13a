import type { Request, WriteRequest } from './client.ts';
import { type Line, rowKey } from './model-influx.ts';
import type { Deletion, ModelBackend, Write } from './model-backend.ts';
import type { Plan } from './plan.ts';
import type { Reply } from './proxy.ts';

type Final = Exclude<Reply, { kind: 'unavailable' }>;

/** What clients were told, and what that means for every backend. Notes what contradicts it. */
export class Book {
  readonly violations: string[] = [];
  readonly answers = { stored: 0, refused: 0 };
  readonly #plan: Plan;
  /** Those that are judged: at the end without the detached ones. */
  readonly #backends: Map<string, ModelBackend>;
  /** Backend -> row -> value. */
  readonly #expected: ReadonlyMap<string, Map<string, string>>;
  /** Backend -> series of lines without a timestamp -> fields. */
  readonly #untimed: ReadonlyMap<string, Map<string, string>>;
  /** Backend -> refused lines of requests that were answered 204: they must be dead letters. */
  readonly #owed: ReadonlyMap<string, Set<string>>;
  /** Backend -> lines that may be dead letters. */
  readonly #refusable: ReadonlyMap<string, Set<string>>;
  /** Backend -> what (a row, the writes or the deletions of a series) -> the newest request that was sent live. */
  readonly #live: ReadonlyMap<string, Map<string, number>>;

  constructor(plan: Plan, backends: ReadonlyMap<string, ModelBackend>) {
    const each = <T>(make: () => T): ReadonlyMap<string, T> =>
      new Map([...backends.keys()].map((name) => [name, make()]));
    this.#plan = plan;
    this.#backends = new Map(backends);
    this.#expected = each(() => new Map<string, string>());
    this.#untimed = each(() => new Map<string, string>());
    this.#owed = each(() => new Set<string>());
    this.#refusable = each(() => new Set<string>());
    this.#live = each(() => new Map<string, number>());
  }

  /** Before a request is sent for the first time. */
  announce(request: Request): void {
    if (!('lines' in request)) return;
    for (const line of request.lines) {
      for (const backend of this.#refusing(request, line)) {
        this.#refusable.get(backend.name)?.add(letterOf(request, line));
      }
    }
  }

  /** The client has its answer. */
  settle(request: Request, reply: Final): void {
    this.answers[reply.kind] += 1;
    if ('lines' in request) this.#settleWrite(request, reply);
    else this.#settleDeletion(request, reply);
  }

  /** A request to a backend begins. */
  sent(name: string, sent: Write | Deletion, isLive: boolean): void {
    if ('series' in sent) {
      if (isShared(sent.series)) return;
      this.#inOrder(name, `write ${sent.series}`, { ordinal: sent.ordinal, isLive: false });
      this.#inOrder(name, `delete ${sent.series}`, { ordinal: sent.ordinal, isLive });
      return;
    }
    for (const line of sent.lines) {
      const ordinal = Number(line.fields.at(-1)?.[1]);
      if (Number.isNaN(ordinal) || isShared(line.series)) continue;
      this.#inOrder(name, `delete ${line.series}`, { ordinal, isLive: false });
      if (isLive) this.#note(name, `write ${line.series}`, ordinal);
      this.#inOrder(name, rowKey(sent.target, line, ''), { ordinal, isLive });
    }
  }

  /** Everything has settled: rows, and the files of dead letters. A detached backend has holes, and must not be alone. */
  judge(letterFiles: ReadonlyMap<string, Buffer>, detached: readonly string[]): void {
    for (const name of detached) this.#backends.delete(name);
    for (const [measurement, names] of Object.entries(this.#plan.keymaps)) {
      if (names.some((name) => this.#backends.has(name))) continue;
      this.violations.push(`every backend of ${measurement} is detached`);
    }
    for (const [name, backend] of this.#backends) {
      this.#judgeRows(name, backend);
      this.#judgeLetters(name, letterFiles.get(name) ?? Buffer.alloc(0));
    }
    this.#judgeStamps();
  }

  #settleWrite(request: WriteRequest, reply: Final): void {
    this.#judgeReply(request, reply);
    for (const line of request.lines) {
      const refusing = this.#refusing(request, line);
      for (const backend of this.#routeOf(line)) {
        if (!refusing.includes(backend)) this.#expect(backend.name, request, line);
        else if (reply.kind === 'stored') {
          this.#owed.get(backend.name)?.add(letterOf(request, line));
        }
      }
    }
  }

  #settleDeletion({ ordinal, series }: Deletion, reply: Final): void {
    if (reply.kind === 'refused') {
      this.violations.push(`deletion ${ordinal} was refused: ${reply.error}`);
    }
    if (isShared(series)) return;
    for (const expected of this.#expected.values()) {
      for (const key of expected.keys()) if (key.split(' ')[1] === series) expected.delete(key);
    }
  }

  /** Of one thing, nothing older may be sent to a backend after something newer went there live. */
  #inOrder(name: string, what: string, sent: { ordinal: number; isLive: boolean }): void {
    const newest = this.#live.get(name)?.get(what) ?? 0;
    if (sent.ordinal < newest) {
      this.violations.push(
        `${name} was sent request ${sent.ordinal} after ${newest} went live: ${what}`,
      );
    }
    if (sent.isLive) this.#note(name, what, sent.ordinal);
  }

  #note(name: string, what: string, ordinal: number): void {
    const live = this.#live.get(name);
    live?.set(what, Math.max(live.get(what) ?? 0, ordinal));
  }

  #judgeReply({ ordinal, rp, lines, hasRubbish }: WriteRequest, reply: Final): void {
    const mayBeRefused =
      hasRubbish || lines.some((line) => this.#refusing({ rp }, line).length > 0);
    if (reply.kind === 'stored' && hasRubbish) {
      this.violations.push(`request ${ordinal} was stored although it has lines that cannot be`);
    }
    if (reply.kind === 'stored' || mayBeRefused) return;
    this.violations.push(`request ${ordinal} was refused for nothing: ${reply.error}`);
  }

  #routeOf({ measurement }: Line): readonly ModelBackend[] {
    const names = this.#plan.keymaps[measurement] ?? [];
    return names.flatMap((name) => this.#backends.get(name) ?? []);
  }

  #refusing({ rp }: { rp: string }, line: Line): readonly ModelBackend[] {
    return this.#routeOf(line).filter(({ influx }) => rp === 'gone' || influx.refuses(line));
  }

  #expect(name: string, request: WriteRequest, line: Line): void {
    const fields = line.text.split(' ')[1] ?? '';
    if (line.timestamp === undefined) this.#untimed.get(name)?.set(line.series, fields);
    else {
      for (const [field, value] of line.fields) {
        this.#expected.get(name)?.set(rowKey(request, line, field), value);
      }
    }
  }

  #judgeRows(name: string, { influx }: ModelBackend): void {
    const expected = this.#expected.get(name) ?? new Map<string, string>();
    for (const [key, known] of expected) {
      // The same on all replicas, whichever it is.
      const value = isShared(key) ? this.#firstRowOf('both', key) : known;
      const actual = influx.rows.get(key);
      if (actual === value) continue;
      this.violations.push(
        `${name} has ${actual ?? 'nothing'} instead of ${value ?? 'nothing'}: ${key}`,
      );
    }
    for (const key of influx.rows.keys()) {
      if (expected.has(key) || key.includes('k=untimed')) continue;
      this.violations.push(`${name} has a row that nobody expects: ${key}`);
    }
  }

  #firstRowOf(measurement: string, key: string): string | undefined {
    const names = this.#plan.keymaps[measurement] ?? [];
    const first = names.find((name) => this.#backends.has(name)) ?? '';
    return this.#backends.get(first)?.influx.rows.get(key);
  }

  /** Every refused line that nobody was told of is there, and nothing else. */
  #judgeLetters(name: string, file: Buffer): void {
    const found = new Set<string>();
    for (const line of linesOfJson(file)) {
      // A power cut tears an append that was not confirmed yet.
      if (line === undefined) continue;
      const letter = letterOfJson(line);
      found.add(letter);
      // Whoever writes lines without a timestamp finds them stamped.
      const known = this.#refusable.get(name);
      if (known?.has(letter) === true || letter.includes('k=untimed')) continue;
      this.violations.push(`${name} has a dead letter that it never refused: ${letter}`);
    }
    for (const letter of this.#owed.get(name) ?? []) {
      if (found.has(letter) || letter.includes('k=untimed')) continue;
      this.violations.push(`${name} refused a line in silence: ${letter}`);
    }
  }

  /** One timestamp for each line without, the same on every backend. */
  #judgeStamps(): void {
    const stamps = new Map<string, string>();
    for (const name of this.#backends.keys()) {
      const untimed = this.#untimed.get(name) ?? new Map<string, string>();
      const times = new Map<string, Set<string>>();
      for (const key of this.#backends.get(name)?.influx.rows.keys() ?? []) {
        const [rp = '', series = '', time = ''] = key.split(' ');
        const known = times.get(series) ?? new Set<string>();
        times.set(series, known.add(`${rp} ${time}`));
      }
      for (const series of untimed.keys()) {
        const own = [...(times.get(series) ?? [])].join(' and ');
        const known = stamps.get(series) ?? own;
        stamps.set(series, known);
        if (own === known && !own.includes(' and ') && own !== '') continue;
        this.violations.push(`${name} has ${series} at ${own || 'no time'}, another at ${known}`);
      }
    }
  }
}

/** Every client writes it, in no order. */
function isShared(series: string): boolean {
  return series.includes(',client=all,');
}

function letterOf({ rp, precision }: WriteRequest, { text }: Line): string {
  return `${rp} ${precision} ${text}`;
}

interface Letter {
  readonly rp: string;
  readonly precision: string;
  readonly line: string;
}

function letterOfJson({ rp, precision, line }: Letter): string {
  return `${rp} ${precision} ${line}`;
}

function linesOfJson(file: Buffer): (Letter | undefined)[] {
  const lines = file.toString().split('\n');
  lines.pop();
  return lines.map((text) => {
    try {
      return JSON.parse(text) as Letter;
    } catch {
      return undefined;
    }
  });
}
