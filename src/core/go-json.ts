/**
 * As Go's encoding/json, and so InfluxDB, writes it (1.6.7): `<`, `>`, `&`, U+2028 and U+2029 are escaped, so is what bytes
 * that are not UTF-8 became, and the escapes of backspace and form feed are long.
 */
export function goJson(value: unknown, isPretty = false): string {
  const json = JSON.stringify(value, undefined, isPretty ? 4 : 0);
  return json.replace(/\\.|[<>&\u2028\u2029\ufffd]/g, (found) => {
    if (found === '\\b') return '\\u0008';
    if (found === '\\f') return '\\u000c';
    return found.startsWith('\\')
      ? found
      : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
