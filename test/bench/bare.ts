import path from 'node:path';
import { Child } from '../support/child.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { eventually, GiveUp } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { httpRequest } from '../support/http-client.ts';
import type { Server } from './server.ts';

const PROGRAM = path.join(import.meta.dirname, 'bare-server.js');

/** `node:http` that reads a body and answers 204: what is left of a proxy that does nothing. */
export async function startBareServer(t: Cleanup): Promise<Server> {
  const port = await freePort();
  const child = await Child.start(process.execPath, [PROGRAM, String(port)]);
  t.after(() => (child.isRunning ? child.kill() : undefined));
  const origin = `http://127.0.0.1:${port}`;
  await eventually(`node:http on port ${port}`, async () => {
    if (!child.isRunning) throw new GiveUp(`it ended: ${child.stderr}`);
    return (await httpRequest(`${origin}/ping`)).status === 204;
  });
  return { origin, pid: child.pid };
}
