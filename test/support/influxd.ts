import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ExactValue, canonicalRows, fieldTypesOf } from './canonical-rows.ts';
import { Child } from './child.ts';
import type { Cleanup } from './cleanup.ts';
import { eventually, GiveUp } from './eventually.ts';
import { parseExactJson } from './exact-json.ts';
import { freePort } from './free-port.ts';
import { type HttpAnswer, httpRequest } from './http-client.ts';
import { assertNoError, type InfluxqlAnswer } from './influxql-answer.ts';
import { type InfluxdSettings, influxdConfig } from './influxd-config.ts';
import { openTempDir } from './temp-dir.ts';

export interface InfluxdOptions {
  /** More of its configuration file, by section: `{ data: { 'max-series-per-database': 10 } }`. */
  readonly settings?: InfluxdSettings;
  /** Turns authentication on and makes this administrator, whom all methods then act as. */
  readonly admin?: { readonly username: string; readonly password: string };
}

type Params = Readonly<Record<string, string>>;

/** One real influxd with an own empty data folder, running; stopped and removed at the end. */
export async function startInfluxd(t: Cleanup, options: InfluxdOptions = {}): Promise<Influxd> {
  const { folder, remove } = await openTempDir();
  const influxd = new Influxd(folder, await freePort(), options);
  t.after(async () => {
    await influxd.kill();
    await remove();
  });
  await influxd.writeConfig();
  await influxd.start();
  if (options.admin !== undefined) await influxd.createAdmin(options.admin);
  return influxd;
}

export class Influxd {
  readonly port: number;
  readonly url: string;
  readonly #folder: string;
  readonly #options: InfluxdOptions;
  #child: Child | undefined;

  constructor(folder: string, port: number, options: InfluxdOptions) {
    this.#folder = folder;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  /** Starts it on the same port and data; resolves once it answers. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error('influxd is running already');
    const child = await Child.start('influxd', ['-config', this.#configPath]);
    this.#child = child;
    await eventually(`influxd on port ${this.port}`, async () => {
      if (!child.isRunning) throw new GiveUp(`influxd ended:\n${child.stderr}`);
      return (await httpRequest(`${this.url}/ping`, { timeoutMs: 1_000 })).status === 204;
    });
  }

  /** SIGTERM, and waits for its end. */
  async stop(): Promise<void> {
    if (this.isRunning) await this.#child?.stop();
  }

  /** SIGKILL, also when paused. */
  async kill(): Promise<void> {
    if (this.isRunning) await this.#child?.kill();
  }

  /** Once it resolves, it accepts connections (the kernel does) and answers nothing. */
  async pause(): Promise<void> {
    await this.#child?.pause();
  }

  resume(): void {
    this.#child?.resume();
  }

  async createDatabase(db: string): Promise<void> {
    await this.query('', `CREATE DATABASE "${db}"`);
  }

  /** Throws the server's words when it does not answer 204. */
  async write(db: string, lines: string | readonly string[], params: Params = {}): Promise<void> {
    const body = typeof lines === 'string' ? lines : lines.join('\n');
    const answer = await this.#post('/write', { ...params, db }, body);
    if (answer.status !== 204) throw new Error(`write: ${answer.status} ${answer.text}`);
  }

  /** The parsed answer; throws the server's words when a statement failed. */
  async query(db: string, q: string, params: Params = {}): Promise<InfluxqlAnswer> {
    const answer = JSON.parse(await this.#queryText(db, q, params)) as InfluxqlAnswer;
    assertNoError(answer, q);
    return answer;
  }

  /** Every point of a measurement as canonical text, sorted and exact: equal arrays mean equal replicas. */
  async rows(db: string, measurement: string, rp = ''): Promise<string[]> {
    const name = `"${measurement.replace(/["\\]/g, '\\$&')}"`;
    const from = rp === '' ? name : `"${rp}".${name}`;
    const points = await this.#exact(db, `SELECT * FROM ${from} GROUP BY *`);
    const types = await this.#exact(db, `SHOW FIELD KEYS FROM ${from}`);
    return canonicalRows(points, fieldTypesOf(types));
  }

  async #exact(db: string, q: string): Promise<InfluxqlAnswer<ExactValue>> {
    const text = await this.#queryText(db, q, { epoch: 'ns' });
    const answer = parseExactJson(text) as InfluxqlAnswer<ExactValue>;
    assertNoError(answer, q);
    return answer;
  }

  async #queryText(db: string, q: string, params: Params): Promise<string> {
    const form = new URLSearchParams({ ...params, db, q }).toString();
    return (await this.#post('/query', {}, form)).text;
  }

  #post(endpoint: '/write' | '/query', params: Params, body: string): Promise<HttpAnswer> {
    const { admin } = this.#options;
    const type =
      endpoint === '/query' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {};
    const login = admin === undefined ? {} : { Authorization: basicAuth(admin) };
    return httpRequest(`${this.url}${endpoint}?${new URLSearchParams(params).toString()}`, {
      headers: { ...type, ...login },
      body,
    });
  }

  async createAdmin({ username, password }: NonNullable<InfluxdOptions['admin']>): Promise<void> {
    await this.query(
      '',
      `CREATE USER "${username}" WITH PASSWORD '${password}' WITH ALL PRIVILEGES`,
    );
  }

  async writeConfig(): Promise<void> {
    const isLocked = this.#options.admin !== undefined;
    await writeFile(
      this.#configPath,
      influxdConfig(this.#folder, this.port, {
        ...this.#options.settings,
        http: { ...this.#options.settings?.['http'], 'auth-enabled': isLocked },
      }),
    );
  }

  get #configPath(): string {
    return path.join(this.#folder, 'influxdb.conf');
  }
}

function basicAuth({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
