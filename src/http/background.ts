import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Reply } from './reply.ts';
import type { Exchange } from './routes.ts';

/** 204 at once, as InfluxDB answers `async=true`: how it goes on is for the log alone, and no client ends it by leaving. */
export function inBackground(reply: Promise<Reply>, { requestId }: Exchange, log: Log): Reply {
  reply.then(discard).catch((error: unknown) => {
    log.warn({ requestId, reason: messageOf(error) }, 'asynchronous query failed');
  });
  return { status: 204 };
}

/** An answer that nobody read would hold its connection to the server. */
function discard({ body }: Reply): void {
  if (typeof body === 'object' && !Buffer.isBuffer(body)) body.resume();
}
