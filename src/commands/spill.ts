import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ProxyError } from '../core/errors.ts';
import { detachedFileOf, spillDirectoryOf } from '../spill/data-dir.ts';
import { DetachedMarker } from '../spill/detached-marker.ts';
import { discardSpill } from '../spill/discard.ts';
import { nodeDisk } from '../spill/disk.ts';
import {
  type Inspected,
  type InspectedRecord,
  inspectSpill,
  summarizeSpill,
} from '../spill/inspect.ts';
import type { Totals } from '../spill/totals.ts';
import { rangesOf } from '../write/dead-points.ts';
import type { CommandRequest } from './command.ts';
import { list } from './list.ts';
import { onlyBackend, whileLocked } from './requests.ts';
import { count, jsonLine, printable, targetText, textOrBase64 } from './text.ts';

const inflate = promisify(gunzip);
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

export function listSpills(request: CommandRequest): Promise<number> {
  return list(request, {
    rowOf: (name) => summarizeSpill(spillDirectoryOf(request.dataDir, name), nodeDisk),
    columns: [
      ['records', ({ records }) => records],
      ['points', ({ points }) => points],
      ['bytes', ({ bytes }) => bytes],
      ['files', ({ files }) => files],
      ['file bytes', ({ fileBytes }) => fileBytes],
      ['damaged files', ({ damagedFiles }) => damagedFiles],
    ],
  });
}

export async function showSpill(request: CommandRequest): Promise<number> {
  const { dataDir, limit, json, write } = request;
  const { name } = onlyBackend(request);
  let shown = 0;
  for await (const found of inspectSpill(spillDirectoryOf(dataDir, name), nodeDisk)) {
    if (shown === limit) break;
    if (found.at === 'record') shown += 1;
    await write(json ? await jsonOf(found) : await textOf(found));
  }
  if (shown === 0 && !json) await write(`the spill of ${name} is empty\n`);
  return 0;
}

export async function discardBacklog(request: CommandRequest): Promise<number> {
  const { dataDir, json, write, clock } = request;
  const { name } = onlyBackend(request);
  if (!request.yes) {
    const backlog = await summarizeSpill(spillDirectoryOf(dataDir, name), nodeDisk);
    const message = `this would forget ${amountOf(backlog)} that ${name} has missed; --yes does it`;
    throw new ProxyError('COMMAND_FAILED', message);
  }
  const hint = 'stop the proxy first; nothing was discarded';
  const done = await whileLocked({ directory: dataDir, clock, hint }, () =>
    discardAndDetach(request),
  );
  if (json) {
    await write(jsonLine({ backend: name, ...done }));
    return 0;
  }
  await write(`discarded ${amountOf(done.discarded)} from the spill of ${name}\n`);
  if (done.detached)
    await write(
      `${name} is detached now, because it will never get them: it takes no points and answers no queries before ` +
        `you have copied to it what it missed and run "backend reattach ${name}"\n`,
    );
  return 0;
}

/** Without its backlog the backend has a hole, so that nobody may read from it: said on disk first, then made. */
async function discardAndDetach({
  dataDir,
  backends,
  clock,
  log,
}: CommandRequest): Promise<{ discarded: Totals; detached: boolean }> {
  const { name } = onlyBackend({ backends });
  const directory = spillDirectoryOf(dataDir, name);
  const marker = new DetachedMarker(detachedFileOf(dataDir, name), nodeDisk);
  const backlog = await summarizeSpill(directory, nodeDisk);
  const detached = backlog.records > 0 && (await marker.read()) === undefined;
  if (detached) {
    const since = new Date(clock.now()).toISOString();
    const state = { since, reason: 'its backlog was discarded', missedPoints: backlog.points };
    await marker.write(state);
  }
  return { discarded: await discardSpill(directory, { disk: nodeDisk, log }), detached };
}

function amountOf({ records, points, bytes }: Totals): string {
  return `${count(records, 'record')} (${count(points, 'point')}, ${count(bytes, 'byte')})`;
}

async function jsonOf(found: Inspected): Promise<string> {
  if (found.at === 'damage') {
    const { file, start, end } = found;
    return jsonLine({ damage: { file, start, end } });
  }
  const { sequence, kind, db, rp, precision, points, payload } = found;
  const lines = await linesOf(found);
  const content =
    lines === undefined
      ? { payloadBase64: payload.toString('base64') }
      : textOrBase64('lines', lines);
  const bytes = payload.length;
  return jsonLine({ sequence, kind, db, rp, precision, points, bytes, ...content });
}

async function textOf(found: Inspected): Promise<string> {
  if (found.at === 'damage')
    return `damaged part  ${found.file}, bytes ${found.start} to ${found.end}\n`;
  const { sequence, kind, points, payload } = found;
  const lines = (await linesOf(found))?.map(printable) ?? ['(cannot be inflated, see --json)'];
  const size = `${count(points, 'point')}  ${count(payload.length, 'byte')}`;
  return `${kind} ${sequence}  ${targetText(found)}  ${size}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** Undefined when its payload is damaged in a way that its checksum does not tell. */
async function linesOf({ kind, payload }: InspectedRecord): Promise<Buffer[] | undefined> {
  try {
    const isGzip = payload.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
    const bytes = isGzip ? await inflate(payload) : payload;
    if (kind !== 'batch') return [bytes];
    return rangesOf(bytes).map(([start, end]) => bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}
