/** Decoded parameters; a name that occurs more than once keeps its first value, as InfluxDB reads it. */
export type Parameters = ReadonlyMap<string, string>;

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/**
 * Parses what follows `?` in a URL, or an urlencoded form, by the rules of Go's net/url, which InfluxDB uses: a pair
 * that holds a raw `;` or a broken `%` is dropped, the others stay. Bytes that are not UTF-8 become U+FFFD.
 */
export function parseParameters(text: string): Parameters {
  const parameters = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const equals = pair.indexOf('=');
    const name = unescape(equals === -1 ? pair : pair.slice(0, equals));
    const value = unescape(equals === -1 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined || parameters.has(name)) continue;
    parameters.set(name, value);
  }
  return parameters;
}

/** Undefined when a `%` is not followed by two hexadecimal digits. */
function unescape(text: string): string | undefined {
  if (!/[%+]/.test(text)) return text;
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'utf8');
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes.readUInt8(at);
    if (byte === PLUS) byte = SPACE;
    else if (byte === PERCENT) {
      byte = Number.parseInt(bytes.toString('latin1', at + 1, at + 3), 16);
      at += 2;
    }
    bytes.writeUInt8(byte, length++);
  }
  return bytes.toString('utf8', 0, length);
}

/** Go's white space: unlike JavaScript's it has U+0085 and lacks U+FEFF. */
const BLANK = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Go's TrimSpace. Not one regular expression, which would take quadratic time over blanks in the middle. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text.charAt(start))) start++;
  while (end > start && BLANK.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}
