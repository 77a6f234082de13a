import { isUtf8 } from 'node:buffer';

/** Columns as wide as their widest cell; numbers to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => String(row[column] ?? '').length)),
  );
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  return [head, ...rows]
    .map((row) => {
      const cells = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return isNumber[column] === true
          ? String(cell).padStart(width)
          : String(cell).padEnd(width);
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** For a terminal: control characters, which clients may have sent, as escapes. `--json` shows every byte. */
export function printable(text: string | Buffer): string {
  return text.toString().replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, '0');
    return ESCAPES[character] ?? `\\x${code}`;
  });
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Where lines were to go. */
export function targetText(target: {
  readonly db: string;
  readonly rp: string;
  readonly precision: string;
}): string {
  const rp = target.rp === '' ? '(default)' : printable(target.rp);
  return `db ${printable(target.db)}  rp ${rp}  precision ${printable(target.precision)}`;
}

/** JSON holds text only: bytes that are not UTF-8 go into a field of their own. */
export function textOrBase64(name: string, bytes: readonly Buffer[]): Record<string, string[]> {
  return bytes.every((each) => isUtf8(each))
    ? { [name]: bytes.map((each) => each.toString()) }
    : { [`${name}Base64`]: bytes.map((each) => each.toString('base64')) };
}

/** `1 point`, `2 points`. */
export function count(number: number, singular: string): string {
  return `${number} ${singular}${number === 1 ? '' : 's'}`;
}

export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
