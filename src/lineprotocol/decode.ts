import lineToJSON from 'influx-line-protocol-parser';

/** Tags and fields of a line for people to read. Numbers are JavaScript's, so large integers lose digits. */
export interface DecodedLine {
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Decodes a valid line with influx-line-protocol-parser, if it can: it splits at every space and comma, escaped and quoted
 * ones too. Undefined for a line that has a backslash, a quoted separator or doubled blanks. Never used to route.
 */
export function decodeLine(line: string): DecodedLine | undefined {
  if (line.includes('\\') || /"[^"]*[ ,=\n][^"]*"/.test(line) || /  /.test(line)) return undefined;
  const { tags, fields } = lineToJSON(line);
  return {
    tags: Object.assign({}, ...tags) as DecodedLine['tags'],
    fields: Object.assign({}, ...fields) as DecodedLine['fields'],
  };
}
