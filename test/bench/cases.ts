/** What a figure is held against; DESIGN.md, "Performance". */
export interface Budget {
  readonly minLinesPerSecond?: number;
  readonly maxCpuPerMillion?: number;
  readonly maxP99Ms?: number;
  readonly minTimesNginx?: number;
  readonly minTimesBare?: number;
  readonly maxPeakRssMb?: number;
}

/** One kind of load. */
export interface BenchCase {
  readonly id: string;
  readonly title: string;
  readonly linesPerBody: number;
  readonly gzip: boolean;
  readonly connections: number;
  /** Different bodies in turn; so many that batches of them compress no better than real ones. */
  readonly bodies: number;
  readonly budget: Budget;
  /** Also through a proxy whose backends have `gzip: false`, held against this. */
  readonly plainBudget?: Budget;
}

const MAX_PEAK_RSS_MB = 150;

export const CASES: readonly BenchCase[] = [
  {
    id: 'a',
    title: '1,000 lines, plain, 4 connections',
    linesPerBody: 1_000,
    gzip: false,
    connections: 4,
    bodies: 16,
    budget: {
      minLinesPerSecond: 1.8e6,
      maxCpuPerMillion: 0.9,
      maxP99Ms: 10,
      minTimesNginx: 0.2,
      maxPeakRssMb: MAX_PEAK_RSS_MB,
    },
    plainBudget: {
      minLinesPerSecond: 3.5e6,
      maxCpuPerMillion: 0.35,
      maxPeakRssMb: MAX_PEAK_RSS_MB,
    },
  },
  {
    id: 'b',
    title: '1,000 lines, gzip, 4 connections',
    linesPerBody: 1_000,
    gzip: true,
    connections: 4,
    bodies: 16,
    budget: {
      minLinesPerSecond: 3.5e6,
      maxCpuPerMillion: 0.45,
      maxP99Ms: 10,
      minTimesNginx: 0.35,
      maxPeakRssMb: MAX_PEAK_RSS_MB,
    },
  },
  {
    id: 'c',
    title: '10 lines, plain, 32 connections',
    linesPerBody: 10,
    gzip: false,
    connections: 32,
    bodies: 2_000,
    budget: {
      minLinesPerSecond: 0.3e6,
      maxCpuPerMillion: 3.8,
      maxP99Ms: 10,
      minTimesBare: 0.45,
      maxPeakRssMb: MAX_PEAK_RSS_MB,
    },
  },
  {
    id: 'd',
    title: '1 line, plain, 64 connections',
    linesPerBody: 1,
    gzip: false,
    connections: 64,
    bodies: 4_000,
    budget: { maxPeakRssMb: MAX_PEAK_RSS_MB },
  },
];
