import { ONE_ROUTE, type Topology, TWENTY_ROUTES, TWO_ROUTES } from './topology.ts';

/** Limits of one kind of load; DESIGN.md, "Performance". */
export interface WriteBudget {
  readonly minLinesPerSecond?: number;
  readonly maxCpuPerMillion?: number;
  readonly maxP99Ms?: number;
  readonly minTimesNginx?: number;
  readonly minTimesBare?: number;
}

/** What the clients send. */
export interface Load {
  readonly linesPerBody: number;
  readonly gzip: boolean;
  readonly connections: number;
  /** Different bodies in turn; so many that batches of them compress no better than real ones. */
  readonly bodies: number;
}

/** One kind of load on one kind of installation. */
export interface WriteCase {
  readonly id: string;
  readonly title: string;
  readonly load: Load;
  readonly topology: Topology;
  readonly budget: WriteBudget;
  /** Also through a proxy whose backends have `gzip: false`, held against this. */
  readonly plainBudget?: WriteBudget;
}

/** Under any load. */
export const MAX_PEAK_RSS_MB = 150;

export const WRITE_CASES: readonly WriteCase[] = [
  {
    id: 'a',
    title: '1,000 lines, plain, 4 connections',
    load: { linesPerBody: 1_000, gzip: false, connections: 4, bodies: 16 },
    topology: ONE_ROUTE,
    budget: { minLinesPerSecond: 1.8e6, maxCpuPerMillion: 0.9, maxP99Ms: 10, minTimesNginx: 0.2 },
    plainBudget: { minLinesPerSecond: 3.5e6, maxCpuPerMillion: 0.35 },
  },
  {
    id: 'b',
    title: '1,000 lines, gzip, 4 connections',
    load: { linesPerBody: 1_000, gzip: true, connections: 4, bodies: 16 },
    topology: ONE_ROUTE,
    budget: { minLinesPerSecond: 3.5e6, maxCpuPerMillion: 0.45, maxP99Ms: 10, minTimesNginx: 0.35 },
    plainBudget: {},
  },
  {
    id: 'b2',
    title: '1,000 lines, gzip, 4 connections, lines alternate between two routes',
    load: { linesPerBody: 1_000, gzip: true, connections: 4, bodies: 16 },
    topology: TWO_ROUTES,
    budget: {},
  },
  {
    id: 'c',
    title: '10 lines, plain, 32 connections',
    load: { linesPerBody: 10, gzip: false, connections: 32, bodies: 2_000 },
    topology: ONE_ROUTE,
    budget: { minLinesPerSecond: 0.3e6, maxCpuPerMillion: 3.8, maxP99Ms: 10, minTimesBare: 0.45 },
  },
  {
    id: 'd',
    title: '1 line, plain, 64 connections',
    load: { linesPerBody: 1, gzip: false, connections: 64, bodies: 4_000 },
    topology: ONE_ROUTE,
    budget: {},
  },
  {
    id: 'e',
    title: '5,000 lines, plain, 4 connections, 10,000 measurements, 20 routes to 6 backends',
    load: { linesPerBody: 5_000, gzip: false, connections: 4, bodies: 16 },
    topology: TWENTY_ROUTES,
    budget: {},
  },
];
