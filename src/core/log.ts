import { type DestinationStream, type Logger, pino } from 'pino';

/**
 * Structured log. Messages are constants and data goes into fields, so that lines can be counted.
 * error: someone must act; warn: degraded but coping; info: lifecycle; debug: per request.
 */
export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug'>;

/** JSON lines on standard output, or appended to `filePath` (which is created with its folders). */
export function openLog(filePath: string | undefined): { log: Log; flush: () => void } {
  const destination: DestinationStream & { flushSync(): void } =
    filePath === undefined
      ? pino.destination({ sync: true })
      : pino.destination({ dest: filePath, append: true, mkdir: true, sync: true });
  const log = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    log,
    flush: () => {
      destination.flushSync();
    },
  };
}
