import { isAtLeast } from '../../core/version.ts';
import type { Counters } from '../../metrics/counters.ts';
import type { Handler } from '../routes.ts';

/** Since this one `verbose` is more than a parameter without effect. */
const VERBOSE_SINCE = '1.8.0';

/**
 * `GET` and `HEAD /ping`: the proxy is there, whatever its backends are. With `verbose` a 200 that names the version, for
 * load balancers that know no 204, if that is one of InfluxDB that does so.
 */
export function pingHandler(counters: Counters, version: () => string): Handler {
  return ({ parameters }) => {
    counters.pings += 1;
    const announced = version();
    const isVerbose = !['', '0', 'false'].includes(parameters.get('verbose') ?? '');
    if (!isVerbose || !isAtLeast(announced, VERBOSE_SINCE)) return { status: 204 };
    return { status: 200, body: JSON.stringify({ version: announced }) };
  };
}
