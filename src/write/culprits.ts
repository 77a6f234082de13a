import { measurementName } from '../lineprotocol/measurement.ts';
import { scanLines } from '../lineprotocol/scanner.ts';

/** One line of a payload: payload[start, end), its newline included; its measurement ends at `measurementEnd`. */
export interface Line {
  readonly start: number;
  readonly end: number;
  readonly measurementEnd: number;
}

/** The lines of a payload that was scanned before. */
export function linesOf(payload: Buffer): readonly Line[] {
  const lines: Line[] = [];
  scanLines(payload, 'ns', {
    point: (start, measurementEnd, end) => lines.push({ start, end: end + 1, measurementEnd }),
    // Valid at the precision that it came with; in nanoseconds its timestamp may be out of range.
    invalid: (start, end) => lines.push({ start, end: end + 1, measurementEnd: start }),
  });
  return lines;
}

/** The count of points with which InfluxDB's words end, or in 1.12 nearly end. Before it stand names that clients choose. */
export function droppedBy(error: string): number | undefined {
  const digits = / dropped=(\d+)(?: for database: .*)?$/s.exec(error)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * The lines that a refusal is about, as far as its words tell. A guess, to be proven by sending them: the words repeat
 * names that clients choose, name one conflict of many, and differ from one server to the next.
 */
export function namedLines(
  error: string,
  payload: Buffer,
  lines: readonly Line[],
): readonly Line[] {
  const unparsable = unparsableLines(error, payload, lines);
  return unparsable.length > 0 ? unparsable : conflictingLines(error, payload, lines);
}

/** InfluxDB repeats each line that it cannot parse, in their order. */
export function unparsableLines(
  error: string,
  payload: Buffer,
  lines: readonly Line[],
): readonly Line[] {
  const named: Line[] = [];
  let at = error.startsWith('partial write: ') ? 'partial write: '.length : 0;
  for (const line of lines) {
    const words = `unable to parse '${payload.toString('utf8', line.start, line.end - 1)}': `;
    if (!error.startsWith(words, at)) continue;
    named.push(line);
    const next = error.indexOf('\nunable to parse ', at + words.length);
    if (next === -1) break;
    at = next + 1;
  }
  return named;
}

const CONFLICT =
  /field type conflict: input field "(.*)" on measurement "(.*)" is type (\w+), already exists as type \w+/s;

/**
 * InfluxDB names the field and the measurement of the first point that conflicts, and counts all. If as many lines have
 * such a field in any measurement, the client has got the type wrong everywhere.
 */
function conflictingLines(error: string, payload: Buffer, lines: readonly Line[]): readonly Line[] {
  const [, field, measurement, type] = CONFLICT.exec(error) ?? [];
  if (field === undefined) return [];
  const key = Buffer.from(`${field.replace(/[,= ]/g, '\\$&')}=`);
  const alike = lines.filter(({ start, end }) => hasField(payload.subarray(start, end), key, type));
  if (alike.length === droppedBy(error)) return alike;
  return alike.filter(
    ({ start, measurementEnd }) => measurementName(payload, start, measurementEnd) === measurement,
  );
}

function hasField(line: Buffer, key: Buffer, type: string | undefined): boolean {
  for (let at = line.indexOf(key); at !== -1; at = line.indexOf(key, at + 1)) {
    const before = line.toString('latin1', at - 1, at);
    if ((before === ' ' || before === ',') && typeAt(line, at + key.length) === type) return true;
  }
  return false;
}

/** A longer number may be taken for another type: then the guess is wrong. */
const MAX_NUMBER_BYTES = 64;

/** The type of the value that begins here, as InfluxDB calls it. */
function typeAt(line: Buffer, at: number): string {
  const [value = ''] = /^[^, \n]*/.exec(line.toString('latin1', at, at + MAX_NUMBER_BYTES)) ?? [];
  if (value.startsWith('"')) return 'string';
  if (/^[tTfF]/.test(value)) return 'boolean';
  if (value.endsWith('i')) return 'integer';
  return value.endsWith('u') ? 'unsigned' : 'float';
}
