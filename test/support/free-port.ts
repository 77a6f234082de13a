import { once } from 'node:events';
import { createServer } from 'node:net';

// Below what Linux and macOS hand out for outgoing connections, and one slice per process: a port stays free
// for a server that is down for a while, and for a test that wants nobody there.
const FIRST_PORT = 12_000;
const PORTS_PER_PROCESS = 40;
const SLICES = 500;

let next = 0;

/** A port on 127.0.0.1 that nobody listens on, and that no other test process will ask for. */
export async function freePort(): Promise<number> {
  const slice = process.pid % SLICES;
  for (let tries = 0; tries < SLICES * PORTS_PER_PROCESS; tries++) {
    const offset = slice * PORTS_PER_PROCESS + next++;
    const port = FIRST_PORT + (offset % (SLICES * PORTS_PER_PROCESS));
    if (await isFree(port)) return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
