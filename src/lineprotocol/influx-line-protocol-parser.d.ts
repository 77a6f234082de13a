/** What influx-line-protocol-parser 0.2.0 exports and its types do not say. */
declare module 'influx-line-protocol-parser' {
  interface ParsedLine {
    readonly measurement: string;
    /** One object with one key per tag or field, in the order of the line. */
    readonly tags: readonly Readonly<Record<string, string>>[];
    readonly fields: readonly Readonly<Record<string, string | number | boolean>>[];
  }
  export default function lineToJSON(line: string): ParsedLine;
}
