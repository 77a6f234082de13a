import type { Budget } from '../../core/budget.ts';
import { ProxyError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type Precision, precisionOf } from '../../lineprotocol/precision.ts';
import type { WritePath } from '../../write/write-path.ts';
import { type BodyLimits, readBody } from '../body.ts';
import type { Parameters } from '../parameters.ts';
import { errorReply, type Reply } from '../reply.ts';
import type { Exchange, Handler } from '../routes.ts';

export interface WriteHandlerDeps {
  readonly writePath: WritePath;
  readonly limits: BodyLimits;
  readonly budget: Budget;
  /** The database that clients must name; empty: any. */
  readonly db: string;
  /** Log the lines of each write. */
  readonly tracing: boolean;
  readonly log: Log;
}

/** Of a retention policy's name: percent-encoded it still fits the 8 KiB that load balancers take for a URL. */
const MAX_POLICY_BYTES = 1024;

const NO_CONTENT: Reply = { status: 204 };

/** `POST /write`, with InfluxDB's parameters, checks and words (`serveWrite`, influxd 1.6.7; precision as 1.11). */
export function writeHandler(deps: WriteHandlerDeps): Handler {
  return (exchange) => write(exchange, deps);
}

async function write(exchange: Exchange, deps: WriteHandlerDeps): Promise<Reply> {
  const { parameters } = exchange;
  checkDatabase(parameters.get('db') ?? '', deps.db);
  const precision = readPrecision(parameters);
  checkConsistency(parameters.get('consistency') ?? '');
  const rp = parameters.get('rp') ?? '';
  checkPolicy(rp);
  const { bytes, gzipped, release } = await readBody(exchange, deps.limits, deps.budget);
  try {
    if (deps.tracing) {
      deps.log.info({ requestId: exchange.requestId, lines: bytes.toString('utf8') }, 'write');
    }
    const client = exchange.request.socket.remoteAddress ?? '';
    const error = await deps.writePath.write({ client, rp, precision, body: bytes, gzipped });
    return error === undefined ? NO_CONTENT : errorReply(error.status, error.error);
  } finally {
    release();
  }
}

function checkDatabase(named: string, own: string): void {
  if (named === '') throw new ProxyError('DATABASE_REQUIRED', 'database is required');
  if (own !== '' && named !== own) {
    throw new ProxyError('DATABASE_UNKNOWN', `database not found: ${JSON.stringify(named)}`);
  }
}

/** Refused here, because influxd up to 1.8 stores such points as nanoseconds, and 1.8 also answers 400. */
function readPrecision(parameters: Parameters): Precision {
  const given = parameters.get('precision') ?? '';
  const precision = precisionOf(given);
  if (precision !== undefined) return precision;
  const text = `invalid precision ${JSON.stringify(given)} (use n, u, ms, s, m or h)`;
  throw new ProxyError('PRECISION_INVALID', text);
}

/** In the URL of a write it would be too long for some server or what stands before it: not a refusal but an outage. */
function checkPolicy(rp: string): void {
  if (Buffer.byteLength(rp) <= MAX_POLICY_BYTES) return;
  const text = `retention policy name is longer than ${MAX_POLICY_BYTES} bytes`;
  throw new ProxyError('POLICY_TOO_LONG', text);
}

/** Checked and without effect, as on InfluxDB without a cluster. */
function checkConsistency(given: string): void {
  if (['', 'any', 'one', 'quorum', 'all'].includes(given.toLowerCase())) return;
  throw new ProxyError('CONSISTENCY_INVALID', 'invalid consistency level');
}
