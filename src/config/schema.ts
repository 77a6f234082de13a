import { z } from 'zod';
import { parseListenAddr } from './listen-addr.ts';

// Every key of the configuration file: type, default, unit, and the reason for the value. Each check carries the words
// that follow "expected" in a problem; zod's own messages are never shown. What no single key can tell is in rules.ts.

/** Node's timers fire at once above this (24.8 days). */
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_TIMER_SECONDS = Math.floor(MAX_TIMER_MS / 1000);
/** A body lives in one Buffer, whose offsets we keep within 31 bits. */
const MAX_BODY_BYTES = 2 ** 31 - 1;

const text = z.string('text');

function nonEmpty(expected: string) {
  return z.string(expected).min(1, expected);
}

function integer(min: number, max: number, unit: string) {
  const range =
    max === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${min}`
      : `an integer from ${min} to ${max}`;
  const expected = `${range} (${unit})`;
  const inRange = (value: number): boolean =>
    Number.isSafeInteger(value) && value >= min && value <= max;
  return z.number(expected).refine(inRange, expected);
}

function milliseconds() {
  return integer(1, MAX_TIMER_MS, 'milliseconds');
}

/** The older proxy's switches are 0 and 1. */
function flag() {
  return z.literal([0, 1, false, true], '0 or 1').transform(Boolean);
}

const listenAddr = z.string('host:port').refine((value) => parseListenAddr(value) !== undefined, {
  error: 'host:port with a port from 0 to 65535, such as localhost:8087, :8087 or [::1]:8087',
});

/** What may be allowed beyond the safe statements; the rest of the language concerns one server, or is never needed. */
const ALLOWABLE_STATEMENTS = [
  'drop measurement',
  'create retention policy',
  'alter retention policy',
  'drop retention policy',
] as const;

const allowableStatement = z.literal(
  ALLOWABLE_STATEMENTS,
  `one of ${ALLOWABLE_STATEMENTS.map((name) => JSON.stringify(name)).join(', ')}`,
);

export const proxySchema = z.strictObject(
  {
    /** Only this machine, until the operator opens it. Port 0: any free one. */
    listenAddr: listenAddr.default('localhost:8087'),
    /** The database that clients must name; `""`: any name, as the older proxy. */
    db: text.default(''),
    /** Reads prefer backends of this zone. */
    zone: text.default(''),
    /** Seconds between the proxy's own statistics points; 0 is off. 10 is Telegraf's interval. */
    interval: integer(0, MAX_TIMER_SECONDS, 'seconds, 0 is off').default(10),
    /** Seconds. More than the flush interval of clients: 10 would close just as Telegraf sends again. */
    idleTimeout: integer(1, MAX_TIMER_SECONDS, 'seconds').default(120),
    /** Logs each write's lines: for a hunt, not for every day. */
    writeTracing: flag().prefault(0),
    /** Logs each query. */
    queryTracing: flag().prefault(0),
    /** Spills and dead letters; relative to the working directory. */
    dataDir: nonEmpty('a directory').default('data'),
    /** Bytes of a write's body as sent; 413 above. InfluxDB's own default of `max-body-size`. */
    maxBodySize: integer(1, MAX_BODY_BYTES, 'bytes').default(25_000_000),
    /** Bytes of a write's body inflated; 413 above. Four times the body (gzip of lines reaches that) holds any honest one. */
    maxInflatedSize: integer(1, MAX_BODY_BYTES, 'bytes').default(100 * 1024 * 1024),
    /** Bytes of bodies and batches in memory; 503 above. Room for one of the largest bodies within 256 MB of RSS. */
    maxInflightBytes: integer(1, Number.MAX_SAFE_INTEGER, 'bytes').default(128 * 1024 * 1024),
    /** Level 6 costs 2.6 times the CPU of level 1 and sends a fifth less. */
    gzipLevel: integer(1, 9, '1 is fastest, 9 is smallest').default(1),
    /** Bytes of answers in memory while answers of several servers are merged, of all queries together. */
    maxMergeBytes: integer(1, Number.MAX_SAFE_INTEGER, 'bytes').default(64 * 1024 * 1024),
    /** Statements that are refused unless named here. */
    allowStatements: z.array(allowableStatement, 'a list of statements').readonly().default([]),
  },
  'an object',
);

const URL_EXPECTED = 'an http:// or https:// URL, such as http://127.0.0.1:8086';

/** The path is kept (InfluxDB behind a prefix); a trailing slash is not, so that `${url}/write` is right. */
const backendUrl = z
  .string(URL_EXPECTED)
  .refine((url) => /^https?:\/\/[^\s/?#\\]+/i.test(url) && !/\s/.test(url) && URL.canParse(url), {
    error: URL_EXPECTED,
    abort: true,
  })
  .refine((url) => !/^[^/]*\/\/[^/?#]*@/.test(url), {
    error: 'a URL without credentials: put them into "username" and "password"',
  })
  .refine((url) => !/[?#]/.test(url), { error: 'a URL without a query and without "#"' })
  .transform((url) => new URL(url).href.replace(/\/+$/, ''));

export const backendSchema = z.strictObject(
  {
    /** Where it is. */
    url: backendUrl,
    /** Its database, which may differ from the proxy's. */
    db: nonEmpty('the name of its database'),
    zone: text.default(''),
    /** Basic auth, also on health checks; `""`: none. */
    username: z
      .string('text')
      .regex(/^[^:]*$/, 'text without ":" (basic auth ends the name there)')
      .default(''),
    password: text.default(''),
    /** Milliseconds that points may gather under load. Larger: larger batches, later spills. */
    interval: milliseconds().default(1_000),
    /** Points in a batch: about 1.4 MB of lines. InfluxDB's manual advises 5,000 to 10,000. */
    maxRowLimit: integer(1, Number.MAX_SAFE_INTEGER, 'points').default(10_000),
    /** Milliseconds for a write. InfluxDB's own `write-timeout` is 10 s. */
    timeout: milliseconds().default(10_000),
    /** Milliseconds for a query: ten minutes, for reports over years. */
    timeoutQuery: milliseconds().default(600_000),
    /** Milliseconds between health checks, each one small request. */
    checkInterval: milliseconds().default(1_000),
    /** Milliseconds at most between replay attempts. */
    rewriteInterval: milliseconds().default(10_000),
    /** Never read from it: a new or restored server, until it is synced. */
    writeOnly: flag().prefault(0),
    /** Compress what is sent to it. False suits a LAN: 0.5 s of CPU per million lines less. */
    gzip: flag().prefault(true),
    /** Milliseconds until a write that it does not answer is spilled; some clients give up after 1 s. */
    spillAfter: milliseconds().default(500),
    /** Bytes of disk for its spill: 10 GiB is about 300 million compressed points. */
    maxSpillBytes: integer(1, Number.MAX_SAFE_INTEGER, 'bytes').default(10 * 1024 ** 3),
    /** `detach`: give up this replica while another holds the points, else 503. `reject`: always 503. */
    onSpillFull: z.literal(['detach', 'reject'], '"detach" or "reject"').default('detach'),
  },
  'an object',
);

const BACKEND_LIST = 'a list of backend names';

const routeSchema = z
  .array(z.string('a backend name'), BACKEND_LIST)
  .min(1, BACKEND_LIST)
  .readonly();

/** The default of `spillAfter` gives way to a shorter `timeout`; rules.ts refuses one that was set so. */
function spillWithinTimeout(backend: z.output<typeof backendSchema>) {
  return { ...backend, spillAfter: Math.min(backend.spillAfter, backend.timeout) };
}

export const configSchema = z.strictObject(
  {
    proxy: proxySchema.prefault({}),
    backends: z
      .record(z.string(), backendSchema.transform(spillWithinTimeout), 'an object of backends')
      .refine((backends) => Object.keys(backends).length > 0, 'at least one backend'),
    keymaps: z.record(z.string(), routeSchema, 'an object of measurements'),
  },
  'an object with proxy, backends and keymaps',
);

export type ProxyConfig = Readonly<z.output<typeof proxySchema>>;
export type BackendConfig = Readonly<z.output<typeof backendSchema>>;

export interface Config {
  readonly proxy: ProxyConfig;
  readonly backends: Readonly<Record<string, BackendConfig>>;
  readonly keymaps: Readonly<Record<string, readonly string[]>>;
}

/** Every key as the documentation writes it, with its default if it has one: for tests that compare documents. */
export function configKeys(): { path: string; default: unknown }[] {
  return [
    ...keysOf('proxy', proxySchema.shape),
    ...keysOf('backends.NAME', backendSchema.shape),
    { path: 'keymaps.MEASUREMENT', default: undefined },
  ];
}

function keysOf(section: string, shape: Readonly<Record<string, z.ZodType>>) {
  return Object.entries(shape).map(([key, schema]) => {
    const hasDefault = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
    return {
      path: `${section}.${key}`,
      default: hasDefault ? schema.def.defaultValue : undefined,
    };
  });
}
