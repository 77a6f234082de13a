import { NEWLINE, blanksEnd } from './bytes.ts';
import {
  keyTooLong,
  MAX_KEY_BYTES,
  scanFieldKeys,
  scanFields,
  scanStoredValues,
} from './fields.ts';
import { scanMeasurement, scanTags } from './key.ts';
import { type LineScan, REFUSED } from './line-scan.ts';
import { scanTimestamp } from './timestamp.ts';

/**
 * Whether InfluxDB takes the line scan.[start, end), which begins with no blank, as a point. The checks are in the order of
 * InfluxDB 1.6 to 1.8, so that a line with several faults is refused with the same words.
 */
export function acceptPoint(scan: LineScan): boolean {
  scan.unsigned = false;
  scan.ambiguous = false;
  const keyEnd = scanKey(scan);
  if (keyEnd === REFUSED) return false;
  const fields = blanksEnd(scan.body, keyEnd, scan.end);
  const fieldsEnd = scanFields(scan, fields);
  if (fieldsEnd === REFUSED) return false;
  if (scanFieldKeys(scan, fields, fieldsEnd, keyEnd - scan.start) === REFUSED) return false;
  return acceptRest(scan, fieldsEnd) && scanStoredValues(scan, fields, fieldsEnd) !== REFUSED;
}

/** Offset of the space that ends measurement and tags. */
function scanKey(scan: LineScan): number {
  scan.measurementEnd = scanMeasurement(scan, scan.start);
  if (scan.measurementEnd === REFUSED) return REFUSED;
  const keyEnd = scanTags(scan, scan.measurementEnd);
  if (keyEnd === REFUSED) return REFUSED;
  const bytes = keyEnd - scan.start;
  return bytes > MAX_KEY_BYTES ? scan.refuse(keyTooLong(bytes)) : keyEnd;
}

/** Judges what follows the fields: nothing or a timestamp. */
function acceptRest(scan: LineScan, fieldsEnd: number): boolean {
  const at = blanksEnd(scan.body, fieldsEnd, scan.end);
  scan.timed = at < scan.end && scan.body[at] !== NEWLINE;
  if (scan.timed) return scanTimestamp(scan, at) !== REFUSED;
  // InfluxDB stops at a newline here and ignores what else the line holds.
  scan.end = at;
  return true;
}
