/**
 * InfluxQL's tokens. What surprises a reader here is InfluxDB's own rule, copied on purpose: a proxy that reads a
 * text differently from the server behind it can be talked past. Blanks and comments are tokens, because in places
 * the grammar asks what stands *directly* behind a name. A slash is never a regex here: only the parser knows.
 */

// prettier-ignore
const KEYWORDS = [
  'ALL', 'ALTER', 'ANALYZE', 'AND', 'ANY', 'AS', 'ASC', 'BEGIN', 'BY', 'CARDINALITY', 'CONTINUOUS', 'CREATE',
  'DATABASE', 'DATABASES', 'DEFAULT', 'DELETE', 'DESC', 'DESTINATIONS', 'DIAGNOSTICS', 'DISTINCT', 'DROP',
  'DURATION', 'END', 'EVERY', 'EXACT', 'EXPLAIN', 'FALSE', 'FIELD', 'FOR', 'FROM', 'GRANT', 'GRANTS', 'GROUP',
  'GROUPS', 'IN', 'INF', 'INSERT', 'INTO', 'KEY', 'KEYS', 'KILL', 'LIMIT', 'MEASUREMENT', 'MEASUREMENTS', 'NAME',
  'OFFSET', 'ON', 'OR', 'ORDER', 'PASSWORD', 'POLICIES', 'POLICY', 'PRIVILEGES', 'QUERIES', 'QUERY', 'READ',
  'REPLICATION', 'RESAMPLE', 'RETENTION', 'REVOKE', 'SELECT', 'SERIES', 'SET', 'SHARD', 'SHARDS', 'SHOW', 'SLIMIT',
  'SOFFSET', 'STATS', 'SUBSCRIPTION', 'SUBSCRIPTIONS', 'TAG', 'TO', 'TRUE', 'USER', 'USERS', 'VALUES', 'WHERE',
  'WITH', 'WRITE',
] as const;
// prettier-ignore
const SYMBOLS = [
  '!=', '!~', '<>', '<=', '>=', '=~', '::',
  '+', '-', '*', '/', '%', '&', '|', '^', '=', '<', '>', '(', ')', ',', ':', ';', '.',
] as const;

type Keyword = (typeof KEYWORDS)[number];
type Symbol = (typeof SYMBOLS)[number];

/** Named as InfluxDB prints them in its errors. */
export type TokenKind =
  | Keyword
  | Symbol
  | 'EOF'
  | 'WS'
  | 'COMMENT'
  | 'ILLEGAL'
  | 'IDENT'
  | 'BOUNDPARAM'
  | 'NUMBER'
  | 'INTEGER'
  | 'DURATIONVAL'
  | 'STRING'
  | 'REGEX'
  | 'BADSTRING'
  | 'BADESCAPE'
  | 'BADREGEX';

export interface Token {
  readonly kind: TokenKind;
  /** A literal's meaning: unescaped, without quotes. Empty for keywords and symbols. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const KEYWORD_SET: ReadonlyMap<string, Keyword> = new Map(KEYWORDS.map((word) => [word, word]));
const SYMBOL_SET: ReadonlyMap<string, Symbol> = new Map(SYMBOLS.map((symbol) => [symbol, symbol]));
const LONGEST_KEYWORD = Math.max(...KEYWORDS.map((word) => word.length));
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
]);

/** The token that starts at `at`; its cost is proportional to its length. Past the end: EOF. */
export function lex(text: string, at: number): Token {
  const char = text.charAt(at);
  if (char === '') return token('EOF', '', at, at);
  if (isBlank(char)) return token('WS', '', at, skip(text, at, isBlank));
  if (isWordStart(char) || char === '"') return word(text, at);
  if (isDigit(char) || (char === '.' && isDigit(text.charAt(at + 1)))) return number(text, at);
  if (char === "'") return quoted(text, at, at, 'STRING');
  if (char === '$') return parameter(text, at);
  if (text.startsWith('--', at)) return lineComment(text, at);
  if (text.startsWith('/*', at)) return blockComment(text, at);
  return symbol(text, at);
}

/**
 * The regex whose opening slash stands at `at`. It ends at the first slash without a backslash directly before it;
 * two backslashes are not a pair, so that `/\\/` goes on.
 */
export function lexRegex(text: string, at: number): Token {
  let value = '';
  let from = at + 1;
  for (let i = from; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '/') return token('REGEX', value + text.slice(from, i), at, i + 1);
    if (isNewline(char)) break;
    if (char === '\\' && text.charAt(i + 1) === '/') {
      value += text.slice(from, i);
      from = ++i;
    }
  }
  return token('BADREGEX', '', at, text.length);
}

function token(kind: TokenKind, value: string, start: number, end: number): Token {
  return { kind, value, start, end };
}

/** A word; or, if a quote follows directly, that quoted identifier: InfluxDB drops the word before it. */
function word(text: string, at: number): Token {
  const end = skip(text, at, isWordPart);
  if (text.charAt(end) === '"') return quoted(text, at, end, 'IDENT');
  const value = text.slice(at, end);
  const keyword =
    value.length <= LONGEST_KEYWORD ? KEYWORD_SET.get(value.toUpperCase()) : undefined;
  return keyword === undefined ? token('IDENT', value, at, end) : token(keyword, '', at, end);
}

/** `$name` or `$"name"`. Behind the dollar a keyword is a name, and a name may start with a digit or be empty. */
function parameter(text: string, at: number): Token {
  const end = skip(text, at + 1, isWordPart);
  if (text.charAt(end) === '"') return quoted(text, at, end, 'BOUNDPARAM');
  return token('BOUNDPARAM', text.slice(at + 1, end), at, end);
}

function quoted(
  text: string,
  start: number,
  quoteAt: number,
  kind: 'IDENT' | 'STRING' | 'BOUNDPARAM',
): Token {
  const quote = text.charAt(quoteAt);
  let value = '';
  let from = quoteAt + 1;
  for (let i = from; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === quote) return token(kind, value + text.slice(from, i), start, i + 1);
    if (isNewline(char)) return token('BADSTRING', value + text.slice(from, i), start, i);
    if (char === '\\') {
      const escaped = ESCAPES.get(text.charAt(i + 1));
      if (escaped === undefined) return badEscape(text, start, i);
      value += text.slice(from, i) + escaped;
      from = ++i + 1;
    }
  }
  return token('BADSTRING', value + text.slice(from), start, text.length);
}

function badEscape(text: string, start: number, at: number): Token {
  const escape = text.slice(at, at + 2); // shorter at the end of the text
  return token('BADESCAPE', escape, start, at + escape.length);
}

/** `12`, `1.5`, `.5`, `7.`, or a duration like `1h30m`, whose units are judged later. */
function number(text: string, at: number): Token {
  let end = skip(text, at, isDigit);
  if (text.charAt(end) === '.') {
    end = skip(text, end + 1, isDigit);
    return token('NUMBER', text.slice(at, end), at, end);
  }
  if (!isUnit(text.charAt(end))) return token('INTEGER', text.slice(at, end), at, end);
  end = skip(text, end, isUnitOrDigit);
  return token('DURATIONVAL', text.slice(at, end), at, end);
}

function lineComment(text: string, at: number): Token {
  const end = skip(text, at, (char) => !isNewline(char));
  return token(
    'COMMENT',
    '',
    at,
    text.startsWith('\r\n', end) ? end + 2 : Math.min(end + 1, text.length),
  );
}

function blockComment(text: string, at: number): Token {
  const close = text.indexOf('*/', at + 2);
  if (close < 0) return token('ILLEGAL', '', at, text.length);
  return token('COMMENT', '', at, close + 2);
}

function symbol(text: string, at: number): Token {
  const kind = SYMBOL_SET.get(text.slice(at, at + 2)) ?? SYMBOL_SET.get(text.charAt(at));
  if (kind !== undefined) return token(kind === '<>' ? '!=' : kind, '', at, at + kind.length);
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return token('ILLEGAL', char, at, at + char.length);
}

function skip(text: string, from: number, belongs: (char: string) => boolean): number {
  let at = from;
  while (at < text.length && belongs(text.charAt(at))) at++;
  return at;
}

// Comparisons, not \s and \w: InfluxQL's classes are ASCII, and a form feed or a no-break space is no blank.

function isNewline(char: string): boolean {
  return char === '\n' || char === '\r';
}

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || isNewline(char);
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

function isLetter(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z');
}

function isWordStart(char: string): boolean {
  return isLetter(char) || char === '_';
}

function isWordPart(char: string): boolean {
  return isWordStart(char) || isDigit(char);
}

function isUnit(char: string): boolean {
  return isLetter(char) || char === '\u00b5';
}

function isUnitOrDigit(char: string): boolean {
  return isUnit(char) || isDigit(char);
}
