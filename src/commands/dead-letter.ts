import path from 'node:path';
import { ProxyError } from '../core/errors.ts';
import { deadLetterFileOf } from '../spill/data-dir.ts';
import { DeadLetterFiles } from '../spill/dead-letter-files.ts';
import { type DeadPoint, decodeDeadPoint } from '../spill/dead-point.ts';
import { nodeDisk } from '../spill/disk.ts';
import type { CommandRequest, NamedBackend } from './command.ts';
import { list } from './list.ts';
import { onlyBackend, whileLocked } from './requests.ts';
import { Retry } from './retry.ts';
import { count, jsonLine, printable, targetText, textOrBase64 } from './text.ts';

interface Summary {
  readonly entries: number;
  /** ISO 8601; null when there are none. */
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly bytes: number;
}

export function listDeadLetters(request: CommandRequest): Promise<number> {
  return list(request, {
    rowOf: (name) => summaryOf(filesOf(request.dataDir, name)),
    columns: [
      ['entries', ({ entries }) => entries],
      ['oldest', ({ oldest }) => oldest],
      ['newest', ({ newest }) => newest],
      ['bytes', ({ bytes }) => bytes],
    ],
  });
}

export async function showDeadLetters(request: CommandRequest): Promise<number> {
  const { dataDir, limit, json, write } = request;
  const { name } = onlyBackend(request);
  let shown = 0;
  for await (const line of filesOf(dataDir, name).lines()) {
    if (shown === limit) break;
    shown += 1;
    const point = decodeDeadPoint(line.toString());
    if (json) await write(point === undefined ? unreadable(line) : `${line.toString()}\n`);
    else await write(textOf(point, line));
  }
  if (shown === 0 && !json) await write(`there are no dead letters of ${name}\n`);
  return 0;
}

export async function retryDeadLetters(request: CommandRequest): Promise<number> {
  const { clock, json, write } = request;
  const backend = onlyBackend(request);
  const retry = new Retry(backend.config, clock);
  try {
    await change(request, (files) => files.rewrite((lines) => retry.rewrite(lines)));
  } finally {
    await retry.close();
  }
  const { stored, expired, refused, unsent, unreadable: odd, failure } = retry;
  const counts = { stored, expired, refused, unsent, unreadable: odd, failure: failure ?? null };
  await write(json ? jsonLine({ backend: backend.name, ...counts }) : reportOf(retry, backend));
  return refused + unsent + odd === 0 ? 0 : 1;
}

export async function discardDeadLetters(request: CommandRequest): Promise<number> {
  const { dataDir, json, write } = request;
  const { name } = onlyBackend(request);
  if (!request.yes) {
    const { entries } = await summaryOf(filesOf(dataDir, name));
    const amount = count(entries, 'dead letter');
    throw new ProxyError('COMMAND_FAILED', `this would forget ${amount} of ${name}; --yes does it`);
  }
  let discarded = 0;
  await change(request, (files) =>
    files.rewrite(async function* (lines) {
      const each = lines[Symbol.asyncIterator]();
      while ((await each.next()).done !== true) discarded += 1;
    }),
  );
  const text = `discarded ${count(discarded, 'dead letter')} of ${name}\n`;
  await write(json ? jsonLine({ backend: name, discarded }) : text);
  return 0;
}

function filesOf(dataDir: string, backend: string): DeadLetterFiles {
  return new DeadLetterFiles(deadLetterFileOf(dataDir, backend), nodeDisk);
}

/** Nothing happens where nothing is. */
async function change(
  request: CommandRequest,
  act: (files: DeadLetterFiles) => Promise<void>,
): Promise<void> {
  const { dataDir, clock } = request;
  const { name } = onlyBackend(request);
  const files = filesOf(dataDir, name);
  if ((await files.bytes()) === 0) return;
  const directory = path.dirname(deadLetterFileOf(dataDir, name));
  const hint = 'wait for the other command to end; nothing was changed';
  await whileLocked({ directory, clock, hint }, () => act(files));
}

async function summaryOf(files: DeadLetterFiles): Promise<Summary> {
  let entries = 0;
  let oldest = Infinity;
  let newest = -Infinity;
  for await (const line of files.lines()) {
    entries += 1;
    const { timeMs } = decodeDeadPoint(line.toString()) ?? {};
    if (timeMs === undefined) continue;
    oldest = Math.min(oldest, timeMs);
    newest = Math.max(newest, timeMs);
  }
  return { entries, oldest: isoOf(oldest), newest: isoOf(newest), bytes: await files.bytes() };
}

function isoOf(timeMs: number): string | null {
  return Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : null;
}

function unreadable(line: Buffer): string {
  const [[name, [text]] = ['unreadable', []]] = Object.entries(textOrBase64('unreadable', [line]));
  return jsonLine({ [name]: text });
}

function textOf(point: DeadPoint | undefined, raw: Buffer): string {
  if (point === undefined) return `(no dead letter)\n  ${printable(raw)}\n`;
  const { timeMs, error, line } = point;
  const time = new Date(timeMs).toISOString();
  return `${time}  ${targetText(point)}\n  ${printable(error)}\n  ${printable(line)}\n`;
}

function reportOf(retry: Retry, { name }: NamedBackend): string {
  const { stored, expired, refused, unsent, unreadable: odd, failure } = retry;
  const lines = [
    `stored ${count(stored, 'point')} on ${name}`,
    ...(expired > 0 ? [`too old for the retention policy and dropped: ${expired}`] : []),
    ...(refused > 0 ? [`refused again and kept: ${refused}`] : []),
    ...(unsent > 0 ? [`not sent and kept: ${unsent}, because of ${failure ?? ''}`] : []),
    ...(odd > 0 ? [`not dead letters and kept: ${odd}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
