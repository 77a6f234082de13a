/** What `/query` answers. `V` is the type of a value. */
export interface InfluxqlAnswer<V = string | number | boolean | null> {
  readonly results?: readonly InfluxqlResult<V>[];
  readonly error?: string;
}

export interface InfluxqlResult<V = string | number | boolean | null> {
  readonly statement_id: number;
  readonly series?: readonly InfluxqlSeries<V>[];
  readonly error?: string;
}

export interface InfluxqlSeries<V = string | number | boolean | null> {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values?: readonly (readonly V[])[];
}

/** Throws the server's words when it, or any statement, failed. */
export function assertNoError(answer: InfluxqlAnswer<unknown>, q: string): void {
  const error = answer.error ?? answer.results?.find((result) => result.error)?.error;
  if (error !== undefined) throw new Error(`${q}: ${error}`);
}
