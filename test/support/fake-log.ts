import type { Log } from '../../src/core/log.ts';

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** Remembers what was logged. */
export function fakeLog(): Log & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const writer =
    (level: LogLine['level']) =>
    (fields: unknown, message?: string): void => {
      lines.push({ level, message: message ?? '', fields: Object(fields) as LogLine['fields'] });
    };
  return {
    lines,
    error: writer('error'),
    warn: writer('warn'),
    info: writer('info'),
    debug: writer('debug'),
  };
}
