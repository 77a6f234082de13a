import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Command as OperatorCommand } from './commands/command.ts';
import { COMMANDS, GROUPS, runCommand } from './commands/commands.ts';
import { loadConfig } from './config/load.ts';
import { codeOf, ProxyError } from './core/errors.ts';
import { openLog, STDERR } from './core/log.ts';
import { systemClock } from './core/time.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { Keymap } from './routing/keymap.ts';
import { nodeDisk } from './spill/disk.ts';
import { explainLines } from './write/explain.ts';

interface Options {
  readonly config: string;
  readonly logFilePath?: string;
}

/** Milliseconds from the first signal until the process gives up on an orderly end. */
const SHUTDOWN_LIMIT_MS = 4800;

/** Runs the command line; resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command('influx-proxy')
    .description(
      'One address in front of two or more InfluxDB servers: routes each point by its measurement, keeps on disk ' +
        'what a failed server missed, replays it, and answers queries from a replica that has everything. ' +
        'SIGTERM and SIGINT end it in order; a second one ends it at once.',
    )
    .version(programVersion())
    .requiredOption('-c, --config <file>', 'configuration file (JSON)')
    .option('--log-file-path <file>', 'append the log to this file instead of standard output')
    .exitOverride();
  let exitCode = 0;
  program.action(async (options: Options) => {
    await run(options);
  });
  program
    .command('route')
    .description('show to which backends a line of line protocol would go, and send nothing')
    .argument('<line...>', "lines, such as 'cpu,host=a usage=0.5'")
    .action((lines: readonly string[]) => {
      exitCode = route(program.opts(), lines);
    });
  addCommands(program, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args.map(doubleDash), { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has written its own message: help, version, or what is wrong with the arguments.
    if (error instanceof CommanderError) return error.exitCode;
    // Whoever read our output (`head`) has seen enough.
    if (codeOf(error) === 'EPIPE') return 0;
    if (!(error instanceof ProxyError) && !isRefusalOfSystem(error)) throw error;
    process.stderr.write(`influx-proxy: ${error.message}\n`);
    return 1;
  }
}

/** A folder that cannot be made, a file that cannot be written: the message names it, and a stack would only hide it. */
function isRefusalOfSystem(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}

/** The older proxy's flags had one dash or two. */
function doubleDash(argument: string): string {
  return /^-(config|log-file-path|version|help)(=|$)/.test(argument) ? `-${argument}` : argument;
}

function programVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}

/** 1 when a line is invalid. */
function route({ config }: Options, lines: readonly string[]): number {
  const keymap = new Keymap(loadConfig(config).keymaps);
  const { text, valid } = explainLines(Buffer.from(lines.join('\n')), keymap);
  process.stdout.write(text);
  return valid ? 0 : 1;
}

interface CommandOptions {
  readonly json?: boolean;
  readonly limit?: number;
  readonly yes?: boolean;
}

function addCommands(program: Command, setExitCode: (code: number) => void): void {
  for (const [name, about] of Object.entries(GROUPS)) {
    const group = program.command(name).description(about);
    for (const command of COMMANDS.filter((each) => each.group === name)) {
      const sub = group.command(command.name).description(command.summary);
      if (command.onBackend) sub.argument('<backend>', 'its name in the configuration');
      if (command.options.includes('limit'))
        sub.option('--limit <n>', 'show at most so many', parseLimit);
      if (command.options.includes('yes')) sub.option('--yes', 'really do it');
      sub.option('--json', `write JSON: ${command.json}`);
      sub.action(async () => {
        const [backend] = sub.args;
        setExitCode(await operate(command, backend, sub.optsWithGlobals()));
      });
    }
  }
}

async function operate(
  command: OperatorCommand,
  backend: string | undefined,
  options: Options & CommandOptions,
): Promise<number> {
  // The promise of `write` tells; without a listener an error would end the process as well.
  process.stdout.on('error', () => undefined);
  return runCommand(command, {
    config: loadConfig(options.config),
    backend,
    json: options.json ?? false,
    limit: options.limit ?? Infinity,
    yes: options.yes ?? false,
    write,
    clock: systemClock,
    log: openLog(options.logFilePath, STDERR),
  });
}

function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It is a number above 0.');
  return Number(text);
}

/** Runs the proxy until a signal ends it. */
async function run(options: Options): Promise<void> {
  const config = loadConfig(options.config);
  const daemon = await startDaemon(config, {
    clock: systemClock,
    disk: nodeDisk,
    log: openLog(options.logFilePath),
    random: Math.random,
    version: programVersion(),
  });
  await untilStopped(daemon);
}

/** Resolves after an orderly end. What is acknowledged is on disk by then or stored, so ending at once loses nothing. */
async function untilStopped(daemon: Daemon): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  const giveUp = (): never => process.exit(1);
  process.on('SIGTERM', giveUp);
  process.on('SIGINT', giveUp);
  const cancel = systemClock.after(SHUTDOWN_LIMIT_MS, giveUp);
  await daemon.close();
  cancel();
  process.off('SIGTERM', giveUp);
  process.off('SIGINT', giveUp);
}
