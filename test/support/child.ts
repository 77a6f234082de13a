import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { onProcessEnd } from './process-end.ts';

/** What is kept of a child's output, for the message of a failure. */
const KEPT_OUTPUT_CHARS = 20_000;

/** One run of a program. It never outlives this process. */
export class Child {
  readonly pid: number;
  /** The end of what it wrote to standard error. */
  stderr = '';
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<number>;
  #exitCode: number | undefined;

  private constructor(process: ChildProcessWithoutNullStreams, pid: number) {
    this.#process = process;
    this.pid = pid;
    const forget = onProcessEnd(() => process.kill('SIGKILL'));
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_OUTPUT_CHARS);
    });
    // 'close' comes after 'exit', when all output has been read.
    this.#exited = new Promise((resolve) => {
      process.once('close', (code) => {
        forget();
        this.#exitCode = code ?? -1;
        resolve(this.#exitCode);
      });
    });
  }

  /** Resolves once the program runs; it may still fail to start serving. */
  static async start(command: string, args: string[], env = process.env): Promise<Child> {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    child.stdin.end();
    if (child.pid === undefined) throw new Error(`BUG: ${command} runs without a pid`);
    return new Child(child, child.pid);
  }

  /** Calls `take` with every whole line of standard output. */
  onLine(take: (line: string) => void): void {
    let rest = '';
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(take);
    });
  }

  get isRunning(): boolean {
    return this.#exitCode === undefined;
  }

  /** The exit code, once it has ended; -1 for death by a signal. */
  exited(): Promise<number> {
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** SIGSTOP; resolves once nothing of it runs. */
  async pause(): Promise<void> {
    this.signal('SIGSTOP');
    await stopped(this.pid);
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /** Asks it to end (SIGTERM) and waits. Throws, having killed it, when it has not ended within `deadlineMs`. */
  async stop(deadlineMs = 30_000): Promise<number> {
    this.signal('SIGTERM');
    const giveUp = new AbortController();
    const late = sleep(deadlineMs, undefined, { signal: giveUp.signal }).catch(() => undefined);
    const inTime = await Promise.race([this.#exited, late]);
    giveUp.abort();
    if (inTime !== undefined) return inTime;
    await this.kill();
    // It ended by itself after all: where this process stood still, the timer is seen before an end that came before it.
    const code = await this.#exited;
    if (code !== -1) return code;
    throw new Error(`process ${this.pid} ignored SIGTERM for ${deadlineMs} ms`);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
  }
}

/**
 * Resolves once all threads of a process that was sent SIGSTOP have stopped: the signal reaches one of them first, and
 * on a busy machine the others go on working for a while. State `T` in proc(5), after the name in parentheses.
 */
export async function stopped(pid: number): Promise<void> {
  const folder = `/proc/${pid}/task`;
  await eventually(`a stop of process ${pid}`, async () => {
    const threads = await readdir(folder);
    const stats = await Promise.all(threads.map((id) => readFile(`${folder}/${id}/stat`, 'utf8')));
    return stats.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'));
  });
}
