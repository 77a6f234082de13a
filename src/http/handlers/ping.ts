import type { Counters } from '../../metrics/counters.ts';
import type { Handler } from '../routes.ts';

/** `GET` and `HEAD /ping`: the proxy is there, whatever its backends are. */
export function pingHandler(counters: Counters): Handler {
  return () => {
    counters.pings += 1;
    return { status: 204 };
  };
}
