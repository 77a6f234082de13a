import { type Logger, pino } from 'pino';

/**
 * Structured log. Messages are constants and data goes into fields, so that lines can be counted.
 * error: someone must act; warn: degraded but coping; info: lifecycle; debug: per request.
 */
export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug'>;

/** Lines that wait for room on the disk; beyond it they are dropped. */
const MAX_UNWRITTEN_BYTES = 64 * 1024;

/** Where a log goes that has no file. */
export type Descriptor = typeof STDOUT | typeof STDERR;
const STDOUT = 1;
export const STDERR = 2;

/** JSON lines on standard output, or appended to `filePath` (which is created with its folders). */
export function openLog(filePath: string | undefined, descriptor: Descriptor = STDOUT): Log {
  // Written at once: the last lines before a crash are the ones that matter, and few lines are written.
  const options = { sync: true, maxLength: MAX_UNWRITTEN_BYTES };
  const destination =
    filePath === undefined
      ? pino.destination({ ...options, dest: descriptor })
      : pino.destination({ ...options, dest: filePath, append: true, mkdir: true });
  // A disk too full for the log must not end the daemon. The next line tries again.
  destination.on('error', () => undefined);
  return pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
