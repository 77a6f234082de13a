import { lex, lexRegex, type Token, type TokenKind } from './lexer.ts';
import type { Bindings } from './params.ts';
import { position } from './position.ts';
import { regexpProblem } from './regexp.ts';
import type { Name } from './statement.ts';

/** Why a text is no InfluxQL. Thrown by the rules, caught by `parseQuery` only. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault';
}

/** Levels of brackets, calls and sub-queries. InfluxDB has no limit; people stay below ten. */
export const MAX_DEPTH = 200;

/** How errors name the kinds of which many tokens exist. */
const SPOKEN: Partial<Record<TokenKind, string>> = {
  IDENT: 'identifier',
  INTEGER: 'integer',
  STRING: 'string',
  DURATIONVAL: 'duration',
};

/**
 * The place in the text up to which the rules have read. Tokens are made on demand, since only the rule that reads
 * knows whether a slash opens a regex. "Raw" methods see blanks and comments, the others skip them.
 */
export class Cursor {
  readonly text: string;
  readonly #bindings: Bindings;
  #at = 0;
  #depth = 0;
  // Invariant: each is undefined or the very token that lexing at its place would give.
  #lexed: Token | undefined;
  #peeked: Token | undefined;
  /** Characters lexed so far, repetitions included: what the tests of linear time count. */
  steps = 0;

  constructor(text: string, bindings: Bindings) {
    this.text = text;
    this.#bindings = bindings;
  }

  /** The end of what was consumed. */
  get at(): number {
    return this.#at;
  }

  raw(): Token {
    return this.#lex(this.#at);
  }

  peek(): Token {
    if (this.#peeked !== undefined) return this.#peeked;
    let token = this.raw();
    while (token.kind === 'WS' || token.kind === 'COMMENT') token = this.#lex(token.end);
    this.#peeked = token;
    return token;
  }

  take(): Token {
    return this.#consume(this.peek());
  }

  takeIf(kind: TokenKind): Token | undefined {
    return this.peek().kind === kind ? this.take() : undefined;
  }

  takeRawIf(kind: TokenKind): Token | undefined {
    const token = this.raw();
    return token.kind === kind ? this.#consume(token) : undefined;
  }

  expect(...kinds: [TokenKind, ...TokenKind[]]): Token {
    const token = this.peek();
    if (!kinds.includes(token.kind)) this.fail(kinds.map((kind) => SPOKEN[kind] ?? kind));
    return this.take();
  }

  name(): Name {
    const { value, start, end } = this.expect('IDENT');
    return { value, start, end };
  }

  /** A word that is a keyword in newer InfluxDB versions only, and a name elsewhere. */
  takeWord(word: string): boolean {
    const { kind, start, end } = this.peek();
    const found = kind === 'IDENT' && this.text.slice(start, end).toUpperCase() === word;
    if (found) this.take();
    return found;
  }

  /** A regex, or a parameter that holds one, after optional blanks; in this position a comment reads as a regex. */
  takeRegex(): Token | undefined {
    this.takeRawIf('WS');
    const char = this.text.charAt(this.#at);
    if (char === '/') return this.#consumeRegex(lexRegex(this.text, this.#at));
    const bound = char === '$' && this.raw().kind === 'REGEX';
    return bound ? this.#consumeRegex(this.raw()) : undefined;
  }

  /**
   * Looks for a regex behind a name without a dot at its end. InfluxDB has read one token too far by then and looks
   * behind *that*: so `FROM cpu /*c` fails, and only a regex in a parameter (`cpu$re`) can be found here.
   */
  takeRegexBehindName(): Token | undefined {
    const token = this.raw();
    const char = this.text.charAt(token.end);
    if (char !== '/' && !(char === '$' && token.kind === 'REGEX')) return undefined;
    if (token.kind !== 'REGEX') this.fail(['regex'], token);
    return this.#consumeRegex(token);
  }

  /** Runs the rule of a nested construct. The limit keeps any text from exhausting the stack. */
  nested<T>(rule: () => T): T {
    if (this.#depth === MAX_DEPTH) throw new SyntaxFault('query is nested too deeply');
    this.#depth++;
    const result = rule();
    this.#depth--;
    return result;
  }

  fail(expected: readonly string[], token: Token = this.peek()): never {
    this.failWith(`found ${shown(token)}, expected ${expected.join(', ')}`, token);
  }

  failWith(message: string, token: Token): never {
    throw new SyntaxFault(`${message} at ${position(this.text, token)}`);
  }

  #lex(at: number): Token {
    if (this.#lexed?.start === at) return this.#lexed;
    const token = lex(this.text, at);
    this.#count(token);
    this.#lexed = token.kind === 'BOUNDPARAM' ? this.#resolve(token) : token;
    return this.#lexed;
  }

  #resolve(token: Token): Token {
    // A lone dollar is never bound, not even to a parameter with an empty name.
    const binding = token.value === '' ? undefined : this.#bindings.get(token.value);
    return { ...token, ...(binding ?? { value: `$${token.value}` }) };
  }

  #consumeRegex(token: Token): Token {
    this.#count(token);
    if (token.kind === 'BADREGEX') this.failWith('bad regex: ', token);
    const problem = regexpProblem(token.value);
    if (problem !== undefined) this.failWith(problem, token);
    return this.#consume(token);
  }

  #count({ start, end }: Token): void {
    this.steps += end - start + 1;
  }

  #consume(token: Token): Token {
    this.#at = token.end;
    this.#peeked = undefined;
    return token;
  }
}

function shown({ kind, value }: Token): string {
  if (value !== '') return value;
  return kind === 'WS' ? ' ' : kind;
}
