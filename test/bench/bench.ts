import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../src/core/errors.ts';
import { CleanupStack } from '../support/cleanup.ts';
import { openTempDir } from '../support/temp-dir.ts';
import { WRITE_CASES } from './cases.ts';
import { runCurves } from './curves.ts';
import { diskRows } from './disk.ts';
import { runIdle } from './idle.ts';
import { microRows } from './micro.ts';
import { OUTAGES, runOutage } from './outage.ts';
import { runQueries } from './queries.ts';
import {
  isCorrect,
  jsonOf,
  machineName,
  mustBe,
  type Row,
  type Section,
  tableOf,
} from './report.ts';
import { type Settings, settingsOf } from './settings.ts';
import { runStartUp } from './start-up.ts';
import { summaryOf } from './summary.ts';
import { runWriteCase } from './write-case.ts';

// The program behind `make bench`. Everything that it measures is an entry of PARTS.

interface Part {
  /** What BENCH_ONLY names. */
  readonly id: string;
  readonly run: (t: CleanupStack, folder: string, settings: Settings) => Promise<Section[]>;
}

const PARTS: readonly Part[] = [
  ...WRITE_CASES.map((benchCase) => ({
    id: benchCase.id,
    run: (t: CleanupStack, folder: string, settings: Settings) =>
      runWriteCase(t, folder, benchCase, settings),
  })),
  ...OUTAGES.map((outage) => ({
    id: outage.id,
    run: (t: CleanupStack, _: string, settings: Settings) => runOutage(t, outage, settings),
  })),
  { id: 'g', run: runQueries },
  { id: 'h', run: runIdle },
  { id: 'start', run: runStartUp },
  { id: 'curves', run: runCurves },
  {
    id: 'micro',
    run: async (_, folder) => [
      section('micro', 'parts by themselves, per second of CPU', await microRows()),
      section('micro', 'the disk', await diskRows(folder)),
    ],
  },
];

function section(id: string, title: string, rows: readonly Row[]): Section {
  return { id, title, rows };
}

/** `make clean` removes it, with the figures in it. */
const DIST = path.resolve(import.meta.dirname, '../..');

/** With the default settings. Twice what an idle machine of two cores takes: only something that hangs gets here. */
const LIMIT_SECONDS = 600;
const DEFAULTS = settingsOf({});

/** Each part has its own folder and servers, which end with it; the others go on without one that fails. */
async function runPart({ id, run }: Part, settings: Settings): Promise<Section[]> {
  const t = new CleanupStack();
  const start = performance.now();
  try {
    const { folder, remove } = await openTempDir();
    t.after(remove);
    return await run(t, folder, settings);
  } catch (error) {
    process.stderr.write(`(${id}) ${messageOf(error)}\n`);
    return [section(id, 'did not run to its end', [mustBe('failures', 0, 1)])];
  } finally {
    await t.run();
    const seconds = (performance.now() - start) / 1_000;
    process.stderr.write(`(${id}) ${seconds.toFixed(1)} s\n`);
  }
}

async function report(sections: readonly Section[]): Promise<void> {
  const machine = machineName();
  process.stdout.write(`\n${machine}\n\n${tableOf(sections)}`);
  await writeFile(path.join(DIST, 'bench.json'), jsonOf(machine, sections));
  await writeFile(path.join(DIST, 'bench.md'), summaryOf(machine, sections));
}

async function bench(settings: Settings): Promise<boolean> {
  const sections: Section[] = [];
  const parts = PARTS.filter(({ id }) => settings.only?.has(id) ?? true);
  if (parts.length === 0) {
    throw new Error(`BENCH_ONLY: expected some of ${PARTS.map(({ id }) => id).join()}`);
  }
  const limitSeconds =
    LIMIT_SECONDS * (settings.seconds / DEFAULTS.seconds) + 3 * settings.hungSeconds;
  const watchdog = setTimeout(() => {
    process.stdout.write(tableOf(sections));
    process.stderr.write(`longer than ${limitSeconds} s; giving up\n`);
    process.exit(1); // ends every child process on the way
  }, limitSeconds * 1_000);
  try {
    for (const part of parts) sections.push(...(await runPart(part, settings)));
  } finally {
    clearTimeout(watchdog);
  }
  await report(sections);
  return isCorrect(sections);
}

try {
  if (!(await bench(settingsOf(process.env)))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
