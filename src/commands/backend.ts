import { ProxyError } from '../core/errors.ts';
import { detachedFileOf, spillDirectoryOf } from '../spill/data-dir.ts';
import { DetachedMarker } from '../spill/detached-marker.ts';
import { discardSpill } from '../spill/discard.ts';
import { nodeDisk } from '../spill/disk.ts';
import type { CommandRequest } from './command.ts';
import { onlyBackend, whileLocked } from './requests.ts';
import { count, jsonLine } from './text.ts';

export async function reattach(request: CommandRequest): Promise<number> {
  const { dataDir, json, write, clock, log } = request;
  const { name } = onlyBackend(request);
  const marker = new DetachedMarker(detachedFileOf(dataDir, name), nodeDisk);
  const hint = 'stop the proxy first; nothing was changed';
  const done = await whileLocked({ directory: dataDir, clock, hint }, async () => {
    const detached = await marker.read();
    if (detached === undefined)
      throw new ProxyError('COMMAND_FAILED', `the backend ${name} is not detached`);
    // In this order: a backend that is back must not get what is older than its copy.
    const discarded = await discardSpill(spillDirectoryOf(dataDir, name), { disk: nodeDisk, log });
    await marker.remove();
    return { detached, discarded };
  });
  if (json) {
    await write(jsonLine({ backend: name, ...done }));
    return 0;
  }
  const { detached, discarded } = done;
  const missed = `it had missed ${count(detached.missedPoints, 'point')} or more`;
  const since = detached.since === '' ? '' : ` since ${detached.since}`;
  await write(`${name} is attached again; ${missed}${since}\n`);
  await write(`discarded ${count(discarded.points, 'point')} from its spill\n`);
  return 0;
}
