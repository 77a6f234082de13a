import type { Clock } from '../core/time.ts';
import type { RequestCounter } from '../metrics/counters.ts';
import type { Exchange, Handler } from './routes.ts';

/** The same handler, with its requests counted and timed until the answer is known; a 2xx is a success. */
export function counted(handler: Handler, counter: RequestCounter, clock: Clock): Handler {
  return async (exchange: Exchange) => {
    const startedAt = clock.monotonic();
    let status: number | undefined;
    try {
      const reply = await handler(exchange);
      ({ status } = reply);
      return reply;
    } finally {
      counter.total += 1;
      if (status === undefined || status >= 300) counter.failed += 1;
      counter.nanoseconds += Math.round((clock.monotonic() - startedAt) * 1e6);
    }
  };
}
