import path from 'node:path';
import type { Config } from '../config/schema.ts';
import { codeOf, ProxyError } from '../core/errors.ts';
import { nodeDisk } from '../spill/disk.ts';
import { reattach } from './backend.ts';
import type { Command, CommandRequest, NamedBackend } from './command.ts';
import {
  discardDeadLetters,
  listDeadLetters,
  retryDeadLetters,
  showDeadLetters,
} from './dead-letter.ts';
import { discardBacklog, listSpills, showSpill } from './spill.ts';

/** What each group of commands is about. */
export const GROUPS: Readonly<Record<string, string>> = {
  spill: 'what is on disk until a backend that missed it has got it',
  'dead-letter': 'the points that a backend refused for good, with its words',
  backend: 'the servers themselves',
};

export const COMMANDS: readonly Command[] = [
  {
    group: 'spill',
    name: 'list',
    summary:
      'each backend: undelivered records, points and (compressed) bytes, files and their size, damaged parts set aside',
    onBackend: false,
    options: [],
    json: 'an array with an object for each backend',
    run: listSpills,
  },
  {
    group: 'spill',
    name: 'show',
    summary: 'the undelivered records, oldest first, and their lines',
    onBackend: true,
    options: ['limit'],
    json: 'an object a line for each record',
    run: showSpill,
  },
  {
    group: 'spill',
    name: 'discard',
    summary:
      'forget the whole backlog: the backend will never get it, and is detached, unless there was none (see `backend ' +
      'reattach`). Only while no proxy runs; `.bad` files stay',
    onBackend: true,
    options: ['yes'],
    json: 'an object that tells what was discarded, and whether that has detached the backend',
    run: discardBacklog,
  },
  {
    group: 'dead-letter',
    name: 'list',
    summary: 'each backend: entries, the oldest and the newest time, bytes',
    onBackend: false,
    options: [],
    json: 'an array with an object for each backend',
    run: listDeadLetters,
  },
  {
    group: 'dead-letter',
    name: 'show',
    summary: 'the entries, oldest first: time, target, the words of the backend, the line',
    onBackend: true,
    options: ['limit'],
    json: 'an object a line for each entry, as in the file',
    run: showDeadLetters,
  },
  {
    group: 'dead-letter',
    name: 'retry',
    summary:
      'send the points to the backend once more, also over newer values of the same time, and keep those that it ' +
      'refuses again; exit code 1 when any are kept',
    onBackend: true,
    options: [],
    json: 'an object that tells how many points were stored, and how many kept',
    run: retryDeadLetters,
  },
  {
    group: 'dead-letter',
    name: 'discard',
    summary: 'forget all entries that are there',
    onBackend: true,
    options: ['yes'],
    json: 'an object that tells how many were discarded',
    run: discardDeadLetters,
  },
  {
    group: 'backend',
    name: 'reattach',
    summary:
      'let a detached backend take part again, after you have copied to it what it missed; forgets what is left of ' +
      'its backlog. Only while no proxy runs',
    onBackend: true,
    options: [],
    json: 'an object that tells since when it was detached, and what was discarded',
    run: reattach,
  },
];

/** Its arguments, as help and the README show them. */
export function usageOf({ group, name, onBackend, options }: Command): string {
  return [
    ...[group, name, ...(onBackend ? ['BACKEND'] : [])],
    ...options.map((option) => (option === 'limit' ? '[--limit N]' : '--yes')),
  ].join(' ');
}

export type RunOptions = Omit<CommandRequest, 'dataDir' | 'backends'> & {
  /** As the operator named it; undefined for a command about all. */
  readonly backend: string | undefined;
};

/** Resolves with the exit code. */
export async function runCommand(command: Command, options: RunOptions): Promise<number> {
  const backends = chosen(options.config, options.backend);
  const dataDir = path.resolve(options.config.proxy.dataDir);
  await assertExists(dataDir);
  return command.run({ ...options, dataDir, backends });
}

function chosen(config: Config, wanted: string | undefined): readonly NamedBackend[] {
  const all = Object.entries(config.backends).map(([name, backend]) => ({ name, config: backend }));
  if (wanted === undefined) return all;
  const backends = all.filter(({ name }) => name === wanted);
  if (backends.length > 0) return backends;
  const known = all.map(({ name }) => name).join(', ');
  const message = `no backend is named ${JSON.stringify(wanted)}; there are: ${known}`;
  throw new ProxyError('COMMAND_FAILED', message);
}

/** Else a command that was started in another directory than the proxy would tell that all is well. */
async function assertExists(dataDir: string): Promise<void> {
  try {
    await nodeDisk.list(dataDir);
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'it does not exist' : codeOf(error);
    const message = `cannot read the data directory ${dataDir}: ${reason ?? String(error)}`;
    throw new ProxyError('COMMAND_FAILED', message, { cause: error });
  }
}
