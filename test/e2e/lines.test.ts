import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { AWKWARD_LINES, type AwkwardLine } from '../fixtures/lines.ts';
import { NumberText, parseExactJson } from '../support/exact-json.ts';
import { type HttpAnswer, httpRequest } from '../support/http-client.ts';
import { type Influxd, startInfluxd } from '../support/influxd.ts';
import type { InfluxqlAnswer, InfluxqlSeries } from '../support/influxql-answer.ts';
import { startProxy } from '../support/proxy.ts';
import { DB, drained } from './replica-pair.ts';

type Value = NumberText | string | boolean | null;

/** Each is about one retention policy; to make one takes a server several writes to the disk. */
const STATEMENTS_PER_QUERY = 50;
const TWO_HOURS_NS = 7_200_000_000_000n;

/** Each line has a retention policy of its own: one line's types are no conflict for the next. */
async function startServer(t: Parameters<typeof startInfluxd>[0]): Promise<Influxd> {
  const influxd = await startInfluxd(t);
  await influxd.createDatabase(DB);
  const policies = AWKWARD_LINES.map(
    (_, index) => `CREATE RETENTION POLICY ${policyOf(index)} ON ${DB} DURATION INF REPLICATION 1`,
  );
  for (const statements of queriesOf(policies)) await influxd.query('', statements);
  return influxd;
}

function policyOf(index: number): string {
  return `line${index}`;
}

/** One after the other, because what a line becomes may depend on those that the database saw before. */
async function send(url: string, db: string): Promise<HttpAnswer[]> {
  const agent = new Agent({ keepAlive: true });
  const answers: HttpAnswer[] = [];
  for (const [index, { body, precision = 'ns' }] of AWKWARD_LINES.entries()) {
    const path = `/write?db=${db}&rp=${policyOf(index)}&precision=${precision}`;
    // influxd repeats raw bytes of a line in a header.
    const options = { method: 'POST', body, agent, insecureHTTPParser: true };
    answers.push(await httpRequest(`${url}${path}`, options));
  }
  agent.destroy();
  return answers;
}

async function storedLines(influxd: Influxd): Promise<string[]> {
  const selects = AWKWARD_LINES.map(
    (_, index) => `SELECT * FROM ${policyOf(index)}./.*/ GROUP BY *`,
  );
  const stored: string[] = [];
  for (const statements of queriesOf(selects)) {
    const { results = [] } = await exactQuery(influxd, statements);
    for (const { series = [] } of results) stored.push(JSON.stringify(series.map(essence)));
  }
  return stored;
}

function queriesOf(statements: readonly string[]): string[] {
  const count = Math.ceil(statements.length / STATEMENTS_PER_QUERY);
  return Array.from({ length: count }, (_, query) =>
    statements.slice(query * STATEMENTS_PER_QUERY, (query + 1) * STATEMENTS_PER_QUERY).join(';'),
  );
}

async function exactQuery({ url }: Influxd, q: string): Promise<InfluxqlAnswer<Value>> {
  const form = new URLSearchParams({ db: DB, epoch: 'ns', q });
  const { text } = await httpRequest(`${url}/query`, {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  return parseExactJson(text) as InfluxqlAnswer<Value>;
}

/**
 * A line without a timestamp gets the time at which it came: two servers cannot agree on it. What `m` is in one line has
 * empty tags and columns for those of all other lines.
 */
function essence(series: InfluxqlSeries<Value>): unknown {
  const tags = Object.entries(series.tags ?? {}).filter(([, value]) => value !== '');
  const rows = (series.values ?? []).map((row) =>
    row.flatMap((value, at) =>
      value === null ? [] : [[series.columns[at], at === 0 && isNow(value) ? 'now' : value]],
    ),
  );
  return { name: series.name, tags, rows };
}

function isNow(time: Value | undefined): boolean {
  if (!(time instanceof NumberText)) return false;
  const age = BigInt(Date.now()) * 1_000_000n - BigInt(time.text);
  return age > -TWO_HOURS_NS && age < TWO_HOURS_NS;
}

function describe({ name, body, precision }: AwkwardLine): string {
  return `${name} ${precision ?? ''}: ${JSON.stringify(body.toString('latin1').slice(0, 200))}`;
}

interface Effect {
  readonly status: number;
  /** Of the JSON body; empty when there is none. */
  readonly error: string;
  readonly rows: string;
}

function effectOf({ status, text }: HttpAnswer, rows: string | undefined): Effect {
  const error = text === '' ? '' : (JSON.parse(text) as { error: string }).error;
  return { status, error, rows: rows ?? 'none were asked for' };
}

/** Where the proxy differs on purpose: what it makes of the effect that a line has on InfluxDB 1.6.7. */
const EXCEPTIONS: readonly {
  readonly why: string;
  readonly applies: (direct: Effect) => boolean;
  readonly behindProxy: (direct: Effect, actual: Effect) => Effect;
}[] = [
  {
    why: 'later versions take unsigned integers, so the server judges the line, which has a timestamp by then',
    applies: ({ error }) => /^unable to parse 'u .*u': invalid number$/.test(error),
    behindProxy: (direct, actual) => ({
      ...direct,
      error: direct.error.replace("':", / \d{19}':/.exec(actual.error)?.[0] ?? "':"),
    }),
  },
  {
    why: 'the server fails once (500) over a name that is not UTF-8, so the proxy sends the line again',
    applies: ({ error }) => error.startsWith('proto:') && error.endsWith('contains invalid UTF-8'),
    behindProxy: (_direct, { rows }) => {
      assert.match(rows, /\["v"|\["\ufffd"/, 'stored at the second attempt');
      return { status: 204, error: '', rows };
    },
  },
];

test('every awkward line has the effect that it has on InfluxDB itself', async (t) => {
  const [plain, behind] = await Promise.all([startServer(t), startServer(t)]);
  const proxy = await startProxy(t, {
    proxy: { db: 'metrics', interval: 0 },
    backends: { behind: { url: behind.url, db: DB, timeout: 60_000, spillAfter: 60_000 } },
    keymaps: { _default_: ['behind'] },
  });

  const [direct, proxied] = await Promise.all([send(plain.url, DB), send(proxy.url, 'metrics')]);
  await drained(proxy);
  const [plainRows = [], behindRows = []] = await Promise.all([plain, behind].map(storedLines));

  const excepted = new Map(EXCEPTIONS.map(({ why }) => [why, 0]));
  for (const [index, line] of AWKWARD_LINES.entries()) {
    const [plainAnswer, answer] = [direct[index], proxied[index]];
    assert.ok(plainAnswer !== undefined && answer !== undefined);
    const expected = effectOf(plainAnswer, plainRows[index]);
    const actual = effectOf(answer, behindRows[index]);
    const exception = EXCEPTIONS.find(({ applies }) => applies(expected));
    if (exception !== undefined) {
      excepted.set(exception.why, (excepted.get(exception.why) ?? 0) + 1);
    }
    const effect = exception?.behindProxy(expected, actual) ?? expected;
    assert.deepEqual(actual, effect, describe(line));
  }
  t.diagnostic(
    `${AWKWARD_LINES.length} lines compared; exceptions: ${JSON.stringify([...excepted])}`,
  );
  assert.ok(AWKWARD_LINES.length >= 300);
});
