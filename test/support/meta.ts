/** What `GET /meta` answers, as far as tests look at it. */
export interface Meta {
  readonly version: string;
  readonly listenAddr: string;
  readonly db: string;
  readonly zone: string;
  readonly uptimeSeconds: number;
  readonly inflightBytes: number;
  readonly disk: { readonly freeBytes?: number; readonly isLow: boolean };
  readonly backends: Readonly<Record<string, BackendMeta>>;
  readonly keymaps: Readonly<Record<string, readonly string[]>>;
}

export interface BackendMeta {
  readonly url: string;
  readonly db: string;
  readonly zone: string;
  readonly up: boolean;
  readonly state: 'complete' | 'catching up' | 'detached';
  readonly detached?: {
    readonly since: string;
    readonly reason: string;
    readonly missedPoints: number;
  };
  readonly backlog: {
    readonly records: number;
    readonly points: number;
    readonly bytes: number;
  };
}
