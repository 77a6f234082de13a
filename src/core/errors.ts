/**
 * Every failure that a client or an operator can cause or meet, with the HTTP status that a client sees.
 * The codes are stable names for logs and tests; messages are for people and, towards clients, InfluxDB's own words.
 */
export const ERRORS = {
  // What a client sent.
  DATABASE_REQUIRED: { status: 400 },
  DATABASE_UNKNOWN: { status: 404 },
  PRECISION_INVALID: { status: 400 },
  CONSISTENCY_INVALID: { status: 400 },
  POLICY_TOO_LONG: { status: 400 },
  BODY_MALFORMED: { status: 400 },
  BODY_TOO_LARGE: { status: 413 },
  QUERY_MISSING: { status: 400 },
  QUERY_MALFORMED: { status: 400 },
  STATEMENT_REFUSED: { status: 400 },

  // What the proxy cannot do now; the client may repeat the request.
  OVERLOADED: { status: 503 },
  SPILL_FULL: { status: 503 },
  SPILL_FAILED: { status: 503 },
  REPLICAS_UNAVAILABLE: { status: 503 },
  SHUTTING_DOWN: { status: 503 },

  // What keeps the daemon from starting.
  CONFIG_INVALID: { status: 500 },
  DATA_DIR_LOCKED: { status: 500 },
  LISTEN_FAILED: { status: 500 },

  // What an operator's command cannot do.
  COMMAND_FAILED: { status: 500 },
} as const satisfies Record<string, { status: number }>;

export type ErrorCode = keyof typeof ERRORS;

/** A fault of a disk or a network, or a refusal of what a client sent. Bugs are plain errors (`invariant`). */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The HTTP status that a client sees. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Only our own mistakes break this. It is never caught for flow control. */
export function invariant(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(`BUG: ${message}`);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node's and undici's machine-readable name of a failure (`ECONNREFUSED`, `UND_ERR_SOCKET`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
