import { type Logger, pino } from 'pino';

/**
 * Structured log. Messages are constants and data goes into fields, so that lines can be counted.
 * error: someone must act; warn: degraded but coping; info: lifecycle; debug: per request.
 */
export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug'>;

/** JSON lines on standard output, or appended to `filePath` (which is created with its folders). */
export function openLog(filePath: string | undefined): Log {
  // Written at once: the last lines before a crash are the ones that matter, and few lines are written.
  const destination =
    filePath === undefined
      ? pino.destination({ sync: true })
      : pino.destination({ dest: filePath, append: true, mkdir: true, sync: true });
  return pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
