/** Keys and list positions from the top of the file. */
export type JsonPath = readonly (string | number)[];

/** A key that its object already has. */
export interface DuplicateKey {
  readonly path: JsonPath;
  /** Of the later one, counted from 1. */
  readonly line: number;
}

/** The message names line and column and quotes one character at most: the text may hold passwords. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

/**
 * `JSON.parse` takes the last of two equal keys silently, gives no line on Node 20, and quotes the text around a
 * fault. So a scanner looks for both first; the value itself is `JSON.parse`'s.
 */
export function parseJson(text: string): { value: unknown; duplicates: readonly DuplicateKey[] } {
  const scanner = new Scanner(text);
  scanner.document();
  return { value: JSON.parse(text) as unknown, duplicates: scanner.duplicates };
}

// Unrolled: an alternation per character would need stack for each.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const WHOLE_STRING = 'a string that ends on its line and has only valid escapes';

class Scanner {
  readonly duplicates: DuplicateKey[] = [];
  readonly #text: string;
  #at = 0;
  // Of the value at hand.
  readonly #path: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value();
    if (this.#peek() !== undefined) this.#fail('the end of the file');
  }

  #value(): void {
    const first = this.#peek();
    if (first === '{') this.#object();
    else if (first === '[') this.#list();
    else if (first === '"') this.#string();
    else if (!this.#skip(SCALAR)) this.#fail('a value');
  }

  #object(): void {
    this.#at++;
    if (this.#take('}')) return;
    const seen = new Set<string>();
    do {
      this.#member(seen);
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}"');
  }

  #member(seen: Set<string>): void {
    if (this.#peek() !== '"') this.#fail('a key in double quotes');
    const start = this.#at;
    const key = JSON.parse(this.#string()) as string;
    this.#path.push(key);
    if (seen.has(key)) this.#addDuplicate(start);
    seen.add(key);
    if (!this.#take(':')) this.#fail('":"');
    this.#value();
    this.#path.pop();
  }

  #addDuplicate(start: number): void {
    this.duplicates.push({ path: [...this.#path], line: this.#positionOf(start).line });
  }

  #list(): void {
    this.#at++;
    if (this.#take(']')) return;
    let index = 0;
    do {
      this.#path.push(index++);
      this.#value();
      this.#path.pop();
    } while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]"');
  }

  /** With its quotes. */
  #string(): string {
    const start = this.#at;
    if (!this.#skip(STRING)) this.#fail(WHOLE_STRING);
    return this.#text.slice(start, this.#at);
  }

  /** The next character that is not white space; undefined at the end. */
  #peek(): string | undefined {
    let next = this.#text[this.#at];
    while (next === ' ' || next === '\n' || next === '\r' || next === '\t') {
      next = this.#text[++this.#at];
    }
    return next;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  /** Costs a walk over the text: only for what is reported. */
  #positionOf(offset: number): { line: number; column: number } {
    const lines = this.#text.slice(0, offset).split('\n');
    return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
  }

  #fail(expected: string): never {
    const { line, column } = this.#positionOf(this.#at);
    const point = this.#text.codePointAt(this.#at);
    const found =
      point === undefined ? 'the end of the file' : JSON.stringify(String.fromCodePoint(point));
    throw new JsonSyntaxError(
      `line ${line}, column ${column}: found ${found}, expected ${expected}`,
    );
  }
}
