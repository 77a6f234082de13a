import type { Token, TokenKind } from './lexer.ts';

const DELIMITED: readonly TokenKind[] = ['STRING', 'REGEX', 'BADSTRING', 'BADREGEX'];

/**
 * Where an error at the token is, in InfluxDB's words and with its quirks, so that people who know them find the
 * place. Lines and characters count from 1; a character is a code point, CR LF one line end.
 */
export function position(text: string, token: Token): string {
  const lines = text.slice(0, blamed(text, token)).split(/\r\n|\r|\n/);
  const char = Array.from(lines.at(-1) ?? '').length + (countsTwice(text, token) ? 2 : 1);
  return `line ${lines.length}, char ${char}`;
}

/** For a string or a regex it is the character before the delimiter; for a bad escape the letter after the backslash. */
function blamed(text: string, { kind, start, end }: Token): number {
  if (kind === 'BADESCAPE') return end - 1;
  if (!DELIMITED.includes(kind) || start === 0 || text.charAt(start) === '$') return start;
  return text.startsWith('\r\n', start - 2) ? start - 2 : start - 1;
}

/** The end of the text counts as a character of its own where the token before it had to look ahead for its end. */
function countsTwice(text: string, { kind }: Token): boolean {
  return kind === 'EOF' && !/[=*();'"/]$/.test(text);
}
