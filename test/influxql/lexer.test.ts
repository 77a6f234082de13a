import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { lex, lexRegex, type Token } from '../../src/influxql/lexer.ts';

/** Kinds and values of all tokens but blanks, as `KIND:value` or `KIND`. */
function tokens(text: string): string[] {
  const found: string[] = [];
  let token: Token = lex(text, 0);
  for (; token.kind !== 'EOF'; token = lex(text, token.end)) {
    assert.ok(token.end > token.start, `no progress in ${text}`);
    if (token.kind === 'WS') continue;
    found.push(token.value === '' ? token.kind : `${token.kind}:${token.value}`);
  }
  assert.equal(token.end, text.length);
  return found;
}

test('lex', () => {
  const check = (text: string, ...expected: string[]): void => {
    assert.deepEqual(tokens(text), expected, text);
  };

  // Words and keywords
  check('sElEcT cpu_1 _x', 'SELECT', 'IDENT:cpu_1', 'IDENT:_x');
  check(
    'time now fill tz null mean',
    ...'time now fill tz null mean'.split(' ').map((w) => `IDENT:${w}`),
  );
  check('SELECTv', 'IDENT:SELECTv');
  check('future past verbose', 'IDENT:future', 'IDENT:past', 'IDENT:verbose');
  check('\u017fELECT', 'ILLEGAL:\u017f', 'IDENT:ELECT'); // upper case of the long s is S
  check('\u212aEY', 'ILLEGAL:\u212a', 'IDENT:EY'); // lower case of the Kelvin sign is k
  check('constructor __proto__', 'IDENT:constructor', 'IDENT:__proto__');

  // A word glued to a quote vanishes, a keyword too; a second pair of quotes is a token of its own.
  check('cpu"secret"', 'IDENT:secret');
  check('FROM"x"', 'IDENT:x');
  check('"a""b"', 'IDENT:a', 'IDENT:b');
  check('"a"b', 'IDENT:a', 'IDENT:b');

  // Quotes and escapes
  check(
    String.raw`"a\"b" 'it\'s' "a\nb" 'c\\'`,
    'IDENT:a"b',
    "STRING:it's",
    'IDENT:a\nb',
    'STRING:c\\',
  );
  check(`""`, 'IDENT');
  check(`'a''b'`, 'STRING:a', 'STRING:b');
  check(String.raw`"a\qb"`, String.raw`BADESCAPE:\q`, 'BADSTRING');
  check(`'a\nb'`, 'BADSTRING:a', 'IDENT:b', 'BADSTRING');
  check(`"a\rb"`, 'BADSTRING:a', 'BADSTRING');
  check(`'abc`, 'BADSTRING:abc');
  check(`'abc\\`, 'BADESCAPE:\\');

  // Numbers and durations
  check(
    '12 1.5 .5 7. 1..5',
    'INTEGER:12',
    'NUMBER:1.5',
    'NUMBER:.5',
    'NUMBER:7.',
    'NUMBER:1.',
    'NUMBER:.5',
  );
  check(
    '1h30m 10ms 5\u00b5 1e3',
    'DURATIONVAL:1h30m',
    'DURATIONVAL:10ms',
    'DURATIONVAL:5\u00b5',
    'DURATIONVAL:1e3',
  );
  check('5\u03bc', 'INTEGER:5', 'ILLEGAL:\u03bc'); // Greek mu is not the micro sign
  check('1.5h', 'NUMBER:1.5', 'IDENT:h');
  check('1h_', 'DURATIONVAL:1h', 'IDENT:_');
  check('a.5', 'IDENT:a', 'NUMBER:.5');

  // Parameters: what follows the dollar is never a keyword.
  check(
    '$m $from $"my m" $1 $',
    'BOUNDPARAM:m',
    'BOUNDPARAM:from',
    'BOUNDPARAM:my m',
    'BOUNDPARAM:1',
    'BOUNDPARAM',
  );
  check('$a"b"', 'BOUNDPARAM:b');

  // Comments
  check('a--b\nc', 'IDENT:a', 'COMMENT', 'IDENT:c');
  check('--x\rDROP', 'COMMENT', 'DROP');
  check('--x\r\nDROP', 'COMMENT', 'DROP');
  check('--x', 'COMMENT');
  check('/* /* */ DROP', 'COMMENT', 'DROP');
  check('/**/ /***/ /*/ */', 'COMMENT', 'COMMENT', 'COMMENT');
  check('/* x', 'ILLEGAL');
  check('/*/', 'ILLEGAL');
  check('- -1 # //', '-', '-', 'INTEGER:1', 'ILLEGAL:#', '/', '/');

  // Symbols
  check('!= <> <= >= =~ !~ ::', '!=', '!=', '<=', '>=', '=~', '!~', '::');
  check(
    'a:b=c<d>e!f',
    'IDENT:a',
    ':',
    'IDENT:b',
    '=',
    'IDENT:c',
    '<',
    'IDENT:d',
    '>',
    'IDENT:e',
    'ILLEGAL:!',
    'IDENT:f',
  );
  check('====', '=', '=', '=', '=');

  // What other languages take for blanks
  for (const char of [
    '\v',
    '\f',
    '\u00a0',
    '\u0085',
    '\u2028',
    '\u3000',
    '\ufeff',
    '\u200b',
    '\u{1f600}',
  ]) {
    check(`a${char}b`, 'IDENT:a', `ILLEGAL:${char}`, 'IDENT:b');
  }
});

test('lexRegex', () => {
  const check = (text: string, value: string | undefined, rest = ''): void => {
    const token = lexRegex(text, 0);
    assert.equal(token.kind, value === undefined ? 'BADREGEX' : 'REGEX', text);
    if (value === undefined) return;
    assert.deepEqual([token.value, text.slice(token.end)], [value, rest], text);
  };

  check('/a/', 'a');
  check('/a/i', 'a', 'i');
  check('//', '');
  check(String.raw`/a\/b/`, 'a/b');
  check(String.raw`/a\.b/`, String.raw`a\.b`);
  check(String.raw`/\\/; DROP/`, String.raw`\/; DROP`); // two backslashes are not a pair
  check(String.raw`/\\\/ x/`, String.raw`\\/ x`);
  check(`/'"--/*;/`, `'"--`, '*;/');

  check('/a', undefined);
  check('/a\\', undefined);
  check('/a\\/', undefined);
  check('/a\nb/', undefined);
  check('/a\rb/', undefined);
});
