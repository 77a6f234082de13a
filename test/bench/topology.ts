import type { Cleanup } from '../support/cleanup.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { type LineStream, measurementsOf } from './lines.ts';

/** Which backends the measurements of a stream go to. */
export interface Topology {
  readonly stream: LineStream;
  readonly backends: number;
  /** Numbers of backends. The measurements take the routes in turn. */
  readonly routes: readonly (readonly number[])[];
}

export const ONE_ROUTE: Topology = { stream: { measurements: 8 }, backends: 2, routes: [[0, 1]] };

/** Lines alternate between the routes: the most pieces that a body can be cut into. */
export const TWO_ROUTES: Topology = {
  stream: { measurements: 8 },
  backends: 4,
  routes: [
    [0, 1],
    [2, 3],
  ],
};

/** The fifteen pairs of six backends, and five sets of three. */
export const TWENTY_ROUTES: Topology = {
  stream: { measurements: 10_000 },
  backends: 6,
  routes: [
    ...[0, 1, 2, 3, 4, 5].flatMap((low) =>
      [1, 2, 3, 4, 5].filter((high) => high > low).map((high) => [low, high]),
    ),
    ...[0, 1, 2, 3, 4].map((first) => [first, (first + 1) % 6, (first + 2) % 6]),
  ],
};

/** The numbers of the backends that line `id` of the stream goes to. */
export function backendsOf({ stream, routes }: Topology, id: number): readonly number[] {
  return at(routes, (id % stream.measurements) % routes.length);
}

export function keymapsOf({ stream, routes }: Topology): Record<string, string[]> {
  return Object.fromEntries(
    measurementsOf(stream).map((name, index) => [
      name,
      at(routes, index % routes.length).map(backendName),
    ]),
  );
}

export const backendName = (index: number): string => `backend${index}`;

/** The real proxy with default settings in front of these servers. Its own statistics would be points nobody sent. */
export function startProxyTo(
  t: Cleanup,
  origins: readonly string[],
  keymaps: Readonly<Record<string, readonly string[]>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ProxyProcess> {
  return startProxy(t, {
    proxy: { interval: 0 },
    backends: Object.fromEntries(
      origins.map((url, index) => [backendName(index), { url, db: 'bench', ...settings }]),
    ),
    keymaps,
  });
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new Error(`BUG: nothing at ${index}`);
  return value;
}
