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

const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const SINGLE_QUOTE = 0x27;
const STAR = 0x2a;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

// Classes of characters: bits. All are ASCII but the micro sign: a form feed or a no-break space is no blank.
const NEWLINE = 1;
const BLANK = 2;
const DIGIT = 4;
const LETTER = 8;
const UNDERSCORE = 16;
const MICRO = 32;
/** The first of two that may be one symbol. */
const PAIR = 64;
const WORD_START = LETTER | UNDERSCORE;
const WORD_PART = WORD_START | DIGIT;
const UNIT = LETTER | MICRO;

const CLASSES = new Uint8Array(256);
for (const [characters, classes] of [
  ['\n\r', NEWLINE | BLANK],
  [' \t', BLANK],
  ['0123456789', DIGIT],
  ['abcdefghijklmnopqrstuvwxyz', LETTER],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', LETTER],
  ['_', UNDERSCORE],
  ['\u00b5', MICRO],
  ['!<>=:', PAIR],
] as const) {
  for (const character of characters) CLASSES[character.charCodeAt(0)] = classes;
}

/** The token that starts at `at`; its cost is proportional to its length. Past the end: EOF. */
export function lex(text: string, at: number): Token {
  if (at >= text.length) return token('EOF', '', at, at);
  const code = text.charCodeAt(at);
  if (is(code, BLANK)) return token('WS', '', at, skip(text, at + 1, BLANK));
  if (is(code, WORD_START) || code === DOUBLE_QUOTE) return word(text, at);
  if (is(code, DIGIT) || (code === DOT && is(text.charCodeAt(at + 1), DIGIT))) {
    return number(text, at);
  }
  if (code === SINGLE_QUOTE) return quoted(text, at, at, 'STRING');
  if (code === DOLLAR) return parameter(text, at);
  if (code === DASH && text.charCodeAt(at + 1) === DASH) return lineComment(text, at);
  if (code === SLASH && text.charCodeAt(at + 1) === STAR) return blockComment(text, at);
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
    const code = text.charCodeAt(i);
    if (code === SLASH) return token('REGEX', value + text.slice(from, i), at, i + 1);
    if (is(code, NEWLINE)) break;
    if (code === BACKSLASH && text.charCodeAt(i + 1) === SLASH) {
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
  const end = skip(text, at, WORD_PART);
  if (text.charCodeAt(end) === DOUBLE_QUOTE) return quoted(text, at, end, 'IDENT');
  const value = text.slice(at, end);
  // Most are written in capitals.
  const keyword = KEYWORD_SET.get(value) ?? keywordOf(value);
  return keyword === undefined ? token('IDENT', value, at, end) : token(keyword, '', at, end);
}

function keywordOf(word: string): Keyword | undefined {
  return word.length <= LONGEST_KEYWORD ? KEYWORD_SET.get(word.toUpperCase()) : undefined;
}

/** `$name` or `$"name"`. Behind the dollar a keyword is a name, and a name may start with a digit or be empty. */
function parameter(text: string, at: number): Token {
  const end = skip(text, at + 1, WORD_PART);
  if (text.charCodeAt(end) === DOUBLE_QUOTE) return quoted(text, at, end, 'BOUNDPARAM');
  return token('BOUNDPARAM', text.slice(at + 1, end), at, end);
}

function quoted(
  text: string,
  start: number,
  quoteAt: number,
  kind: 'IDENT' | 'STRING' | 'BOUNDPARAM',
): Token {
  const quote = text.charCodeAt(quoteAt);
  let value = '';
  let from = quoteAt + 1;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) return token(kind, value + text.slice(from, i), start, i + 1);
    if (is(code, NEWLINE)) return token('BADSTRING', value + text.slice(from, i), start, i);
    if (code === BACKSLASH) {
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
  let end = skip(text, at, DIGIT);
  if (text.charCodeAt(end) === DOT) {
    end = skip(text, end + 1, DIGIT);
    return token('NUMBER', text.slice(at, end), at, end);
  }
  if (!is(text.charCodeAt(end), UNIT)) return token('INTEGER', text.slice(at, end), at, end);
  end = skip(text, end, UNIT | DIGIT);
  return token('DURATIONVAL', text.slice(at, end), at, end);
}

function lineComment(text: string, at: number): Token {
  let end = at;
  while (end < text.length && !is(text.charCodeAt(end), NEWLINE)) end++;
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
  const pair = is(text.charCodeAt(at), PAIR) ? SYMBOL_SET.get(text.slice(at, at + 2)) : undefined;
  const kind = pair ?? SYMBOL_SET.get(text.charAt(at));
  if (kind !== undefined) return token(kind === '<>' ? '!=' : kind, '', at, at + kind.length);
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return token('ILLEGAL', char, at, at + char.length);
}

function skip(text: string, from: number, classes: number): number {
  let at = from;
  while (at < text.length && is(text.charCodeAt(at), classes)) at++;
  return at;
}

/** Whether the character is in one of the classes; past the end of the text (NaN) it is in none. */
function is(code: number, classes: number): boolean {
  return ((CLASSES[code] ?? 0) & classes) !== 0;
}
