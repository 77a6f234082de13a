/**
 * What surely is no regular expression to InfluxDB (Go's RE2), or undefined. Deliberately incomplete: what slips
 * through, the backend refuses; but a pattern that some Go version accepts must never be refused here.
 */
export function regexpProblem(pattern: string): string | undefined {
  const scan = { pattern, at: 0, open: 0, repeatable: false, lastNamed: pattern.lastIndexOf(':]') };
  while (scan.at < pattern.length) {
    const problem = readItem(scan);
    if (problem !== FINE) return `error parsing regexp: ${problem}`;
  }
  return scan.open > 0 ? `error parsing regexp: missing closing ): \`${pattern}\`` : undefined;
}

interface Scan {
  readonly pattern: string;
  at: number;
  /** Groups that are not closed yet. */
  open: number;
  /** Something stands before `at` that an operator like `*` could repeat. */
  repeatable: boolean;
  /** Where the last `:]` stands, so that no search for one is in vain: that would take quadratic time. */
  readonly lastNamed: number;
}

const FINE = '';
const REPEAT = /\{(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}/y;
const MAX_REPEAT = 1000;
const LOOKAROUNDS = ['(?=', '(?!', '(?<=', '(?<!'];

/** Moves past one item of the pattern and answers FINE, or says what is wrong with it. */
function readItem(scan: Scan): string {
  const char = scan.pattern.charAt(scan.at);
  switch (char) {
    case '\\':
      return readEscape(scan);
    case '[':
      return readClass(scan);
    case '(':
      return readOpening(scan);
    case ')':
      return readClosing(scan);
    case '|':
      return advance(scan, 1, false);
    case '*':
    case '+':
    case '?':
      return readOperator(scan, char);
    case '{':
      return readRepeat(scan);
    default:
      return advance(scan, 1, true);
  }
}

function advance(scan: Scan, by: number, repeatable: boolean): string {
  scan.at += by;
  scan.repeatable = repeatable;
  return FINE;
}

function readEscape(scan: Scan): string {
  const { pattern, at } = scan;
  const escaped = pattern.charAt(at + 1);
  if (escaped === '') return 'trailing backslash at end of expression: ``';
  if (escaped >= '1' && escaped <= '9') return `invalid escape sequence: \`\\${escaped}\``;
  if (escaped !== 'Q') return advance(scan, 2, true);
  const close = pattern.indexOf('\\E', at + 2); // between \Q and \E all is literal
  return advance(scan, close < 0 ? pattern.length - at : close + 2 - at, true);
}

function readClass(scan: Scan): string {
  const { pattern, at, lastNamed } = scan;
  let i = pattern.charAt(at + 1) === '^' ? at + 2 : at + 1;
  if (pattern.charAt(i) === ']') i++; // a first bracket stands for itself
  while (i < pattern.length && pattern.charAt(i) !== ']') {
    const named = pattern.startsWith('[:', i) && lastNamed >= i + 2;
    if (named) i = pattern.indexOf(':]', i + 2) + 2;
    else i += pattern.charAt(i) === '\\' ? 2 : 1;
  }
  if (i >= pattern.length) return `missing closing ]: \`${pattern.slice(at)}\``;
  return advance(scan, i + 1 - at, true);
}

function readOpening(scan: Scan): string {
  const { pattern, at } = scan;
  const lookaround = LOOKAROUNDS.find((prefix) => pattern.startsWith(prefix, at));
  if (lookaround !== undefined) {
    return `invalid or unsupported Perl syntax: \`${lookaround.slice(0, 3)}\``;
  }
  scan.open++;
  return advance(scan, pattern.startsWith('(?', at) ? 2 : 1, pattern.startsWith('(?', at));
}

function readClosing(scan: Scan): string {
  if (scan.open === 0) return `unexpected ): \`${scan.pattern}\``;
  scan.open--;
  return advance(scan, 1, true);
}

function readOperator(scan: Scan, operator: string): string {
  if (!scan.repeatable) return `missing argument to repetition operator: \`${operator}\``;
  return advance(scan, 1, true);
}

function readRepeat(scan: Scan): string {
  REPEAT.lastIndex = scan.at;
  const [whole, least, most] = REPEAT.exec(scan.pattern) ?? [];
  if (whole === undefined) return advance(scan, 1, true); // a brace of its own is a literal
  if (Number(least) > MAX_REPEAT || Number(most ?? 0) > MAX_REPEAT) {
    return `invalid repeat count: \`${whole}\``;
  }
  if (!scan.repeatable) return `missing argument to repetition operator: \`${whole}\``;
  return advance(scan, whole.length, true);
}
