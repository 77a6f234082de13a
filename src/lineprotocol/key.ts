import { BACKSLASH, COMMA, EQUALS, SPACE } from './bytes.ts';
import { type LineScan, REFUSED } from './line-scan.ts';

/**
 * A separator in the measurement and the tags is escaped iff the byte before it is a backslash, doubled or not: that is
 * InfluxDB's rule, and a proxy that knows better would see another measurement than the database.
 */
export function isEscaped(body: Buffer, at: number): boolean {
  return body[at - 1] === BACKSLASH;
}

/** Offset of the `,` or space that ends the measurement which begins at `at`. */
export function scanMeasurement(scan: LineScan, at: number): number {
  const { body, end } = scan;
  if (at >= end || body[at] === COMMA) return scan.refuse('missing measurement');
  for (at++; at < end; at++) {
    const byte = body[at];
    if ((byte === COMMA || byte === SPACE) && !isEscaped(body, at)) return at;
  }
  return scan.refuse('missing fields');
}

/** Offset of the space that ends the tags; body[at] is the `,` before the first or the space if there are none. */
export function scanTags(scan: LineScan, at: number): number {
  const first = at;
  let tags = 0;
  while (scan.body[at] === COMMA) {
    const value = scanTagKey(scan, at + 1);
    at = value === REFUSED ? REFUSED : scanTagValue(scan, value);
    if (at === REFUSED) return REFUSED;
    tags++;
  }
  if (isFatalCount(tags)) {
    return scan.refuse(`a point with exactly ${tags} tags makes older versions of InfluxDB fail`);
  }
  // InfluxDB looks for duplicates only when all tags are well-formed.
  return hasDuplicateTags(scan.body, first, tags) ? scan.refuse('duplicate tags') : at;
}

/** The number of tags for which InfluxDB 1.x first makes room; it doubles that whenever there are more. */
const FIRST_TAG_CAPACITY = 100;

/**
 * Whether so many tags make a 1.6.7 panic: it answers 500 for the whole request, and would to each attempt, so that one such
 * line in a batch would hold up all that queue behind it. Later versions take them (influxdata/influxdb issue 21296).
 */
function isFatalCount(tags: number): boolean {
  let capacity = FIRST_TAG_CAPACITY;
  while (capacity < tags) capacity *= 2;
  return tags === capacity;
}

/** Offset of the value of the tag whose key begins at `at`. */
function scanTagKey(scan: LineScan, at: number): number {
  const { body, end } = scan;
  const head = body[at];
  if (at >= end || head === SPACE || head === COMMA || head === EQUALS) {
    return scan.refuse('missing tag key');
  }
  for (at++; at < end; at++) {
    const byte = body[at];
    if (byte === EQUALS && !isEscaped(body, at)) return at + 1;
    if ((byte === SPACE || byte === COMMA) && !isEscaped(body, at)) break;
  }
  return scan.refuse('missing tag value');
}

/** Offset of the `,` or space that ends the tag value which begins at `at`. Its first byte may be a `=`. */
function scanTagValue(scan: LineScan, at: number): number {
  const { body, end } = scan;
  if (at >= end || body[at] === COMMA || body[at] === SPACE) {
    return scan.refuse('missing tag value');
  }
  for (at++; at < end; at++) {
    const byte = body[at];
    if (byte !== EQUALS && byte !== COMMA && byte !== SPACE) continue;
    if (isEscaped(body, at)) continue;
    return byte === EQUALS ? scan.refuse('invalid tag format') : at;
  }
  return scan.refuse('missing fields');
}

/** Above this many tags the pairs are not compared one by one: a hostile line can hold thousands. */
const FEW_TAGS = 16;

/** Whether two of the well-formed tags from the `,` at `first` on have the same bytes as key, escapes included. */
export function hasDuplicateTags(body: Buffer, first: number, tags: number): boolean {
  return tags > FEW_TAGS
    ? hasDuplicateOfMany(body, first, tags)
    : hasDuplicateOfFew(body, first, tags);
}

function hasDuplicateOfMany(body: Buffer, first: number, tags: number): boolean {
  const keys = new Set<string>();
  for (let at = first, left = tags; left > 0; at = tagEnd(body, at), left--) {
    keys.add(body.toString('latin1', at + 1, keyEnd(body, at)));
  }
  return keys.size < tags;
}

function hasDuplicateOfFew(body: Buffer, first: number, tags: number): boolean {
  for (let left = first; tags > 1; left = tagEnd(body, left), tags--) {
    let right = left;
    for (let others = tags - 1; others > 0; others--) {
      right = tagEnd(body, right);
      if (sameKey(body, left, right)) return true;
    }
  }
  return false;
}

/** Whether the tags whose `,` are at `left` and `right` have the same key. */
function sameKey(body: Buffer, left: number, right: number): boolean {
  for (;;) {
    const byte = body[++left];
    if (byte !== body[++right]) return false;
    if (byte === EQUALS && !isEscaped(body, left)) return true;
  }
}

/** Offset of the `=` after the key of the tag whose `,` is at `at`. */
function keyEnd(body: Buffer, at: number): number {
  at += 2;
  while (body[at] !== EQUALS || isEscaped(body, at)) at++;
  return at;
}

/** Offset of the `,` or space after the tag whose `,` is at `at`. */
function tagEnd(body: Buffer, at: number): number {
  at = keyEnd(body, at) + 2;
  while ((body[at] !== COMMA && body[at] !== SPACE) || isEscaped(body, at)) at++;
  return at;
}
