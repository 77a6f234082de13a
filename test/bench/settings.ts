/** What the environment says about one run of the bench; see README.md. */
export interface Settings {
  /** Ids of the sections to run; undefined: all. */
  readonly only: ReadonlySet<string> | undefined;
  /** Of one timed run; wrk knows whole seconds only. */
  readonly seconds: number;
  /** How long the hung replica hangs. */
  readonly hungSeconds: number;
}

export function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const only = env['BENCH_ONLY'];
  return {
    only: only === undefined || only === '' ? undefined : new Set(only.split(',')),
    seconds: wholeSeconds(env, 'BENCH_SECONDS', 1),
    hungSeconds: wholeSeconds(env, 'BENCH_HUNG_SECONDS', 15),
  };
}

function wholeSeconds(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const value = Number(env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name}: expected whole seconds`);
  return value;
}
