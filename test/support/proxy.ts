import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Child } from './child.ts';
import type { Cleanup } from './cleanup.ts';
import { eventually, type EventuallyOptions, GiveUp } from './eventually.ts';
import { freePort } from './free-port.ts';
import { type HttpAnswer, type HttpRequest, httpRequest } from './http-client.ts';
import type { Meta } from './meta.ts';
import { openTempDir } from './temp-dir.ts';

const LAUNCHER = path.resolve(import.meta.dirname, '../../../bin/influx-proxy');

/** The configuration file; listenAddr, dataDir and an interval of 0 are filled in where they are missing. */
export interface ProxyConfig {
  readonly proxy?: Readonly<Record<string, unknown>>;
  readonly backends: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly keymaps: Readonly<Record<string, readonly string[]>>;
}

export interface ProxyOptions {
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** More arguments. */
  readonly args?: readonly string[];
  /** Another launcher than this repository's. */
  readonly launcher?: string;
}

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly msg: string;
};

/** The real influx-proxy as a child process, answering; ended, with its data, at the end of the test. */
export async function startProxy(
  t: Cleanup,
  config: ProxyConfig,
  options: ProxyOptions = {},
): Promise<ProxyProcess> {
  const { folder, remove } = await openTempDir();
  const proxy = new ProxyProcess(folder, await freePort(), options);
  t.after(async () => {
    // A killed process writes no coverage; and only then is an orderly end worth its time.
    if (process.env['NODE_V8_COVERAGE'] === undefined) await proxy.kill();
    else if (proxy.isRunning) await proxy.stop();
    await remove();
  });
  await proxy.configure(config);
  await proxy.start();
  return proxy;
}

export class ProxyProcess {
  readonly port: number;
  readonly url: string;
  readonly configPath: string;
  readonly dataDir: string;
  /** All lines of its log so far, over all its runs. */
  readonly logs: LogLine[] = [];
  /** What it wrote to standard output that is not JSON. */
  readonly output: string[] = [];
  readonly #options: ProxyOptions;
  #child: Child | undefined;

  constructor(folder: string, port: number, options: ProxyOptions) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.configPath = path.join(folder, 'config.json');
    this.dataDir = path.join(folder, 'data');
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  /** Of the run that is on, or of the last one. */
  get pid(): number {
    if (this.#child === undefined) throw new Error('influx-proxy was never started');
    return this.#child.pid;
  }

  /** The end of the last run's standard error. */
  get stderr(): string {
    return this.#child?.stderr ?? '';
  }

  /** Writes the configuration file; a running proxy keeps the one it has read. */
  async configure(config: ProxyConfig): Promise<void> {
    // Its own statistics would be writes that no test made, after ten seconds: only some machines would see them.
    const own = { listenAddr: `127.0.0.1:${this.port}`, dataDir: this.dataDir, interval: 0 };
    const text = JSON.stringify({ ...config, proxy: { ...own, ...config.proxy } }, undefined, 2);
    await writeFile(this.configPath, text);
  }

  /** Starts it on the same port and data; resolves once it answers. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error('influx-proxy is running already');
    const { launcher = LAUNCHER, args = [], env = {} } = this.#options;
    const command = [launcher, `--config=${this.configPath}`, ...args];
    const child = await Child.start(process.execPath, command, { ...process.env, ...env });
    this.#child = child;
    child.onLine((line) => {
      this.#takeLine(line);
    });
    await eventually(`influx-proxy on port ${this.port}`, async () => {
      if (!child.isRunning) throw new GiveUp(await this.#whyItEnded(child));
      return (await this.request('/ping', { timeoutMs: 1_000 })).status === 204;
    });
  }

  /** SIGTERM; its exit code. Throws when it takes longer than `deadlineMs`. */
  async stop(deadlineMs = 30_000): Promise<number> {
    if (this.#child === undefined) throw new Error('influx-proxy was never started');
    return this.#child.isRunning ? this.#child.stop(deadlineMs) : this.#child.exited();
  }

  /** SIGKILL, and waits for its end. */
  async kill(): Promise<void> {
    if (this.isRunning) await this.#child?.kill();
  }

  /** Stops it, if it runs, and starts it on the same port, data and configuration file. */
  async restart(): Promise<void> {
    if (this.isRunning) await this.stop();
    await this.start();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** One request to it: a path, with its query. */
  request(pathAndQuery: string, options: HttpRequest = {}): Promise<HttpAnswer> {
    return httpRequest(`${this.url}${pathAndQuery}`, options);
  }

  async meta(): Promise<Meta> {
    const answer = await this.request('/meta');
    if (answer.status !== 200) throw new Error(`/meta: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as Meta;
  }

  /** The first `/meta` for which `holds`; past the deadline the error shows the last one. */
  async waitFor(
    holds: (meta: Meta) => boolean,
    options: EventuallyOptions & { readonly what?: string } = {},
  ): Promise<Meta> {
    return eventually(
      options.what ?? 'condition on /meta',
      async () => {
        const meta = await this.meta();
        if (!holds(meta)) throw new Error(`last seen: ${JSON.stringify(meta.backends)}`);
        return meta;
      },
      options,
    );
  }

  /** The lines of its log with this message. */
  logged(msg: string): LogLine[] {
    return this.logs.filter((line) => line.msg === msg);
  }

  #takeLine(line: string): void {
    try {
      this.logs.push(JSON.parse(line) as LogLine);
    } catch {
      this.output.push(line);
    }
  }

  async #whyItEnded(child: Child): Promise<string> {
    const code = await child.exited();
    const lines = [...this.output, ...this.logs.map((line) => JSON.stringify(line))].slice(-10);
    return [`influx-proxy ended with ${code}`, ...lines, child.stderr].join('\n');
  }
}
