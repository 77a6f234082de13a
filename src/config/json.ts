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

const WHITESPACE = /[ \t\n\r]*/y;
// Unrolled: an alternation per character would need stack for each.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const WHOLE_STRING = 'a string that ends on its line and has only valid escapes';

class Scanner {
  readonly duplicates: DuplicateKey[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value([]);
    if (this.#peek() !== undefined) this.#fail('the end of the file');
  }

  #value(path: JsonPath): void {
    const first = this.#peek();
    if (first === '{') this.#object(path);
    else if (first === '[') this.#list(path);
    else if (first === '"') this.#string();
    else if (this.#match(SCALAR) === undefined) this.#fail('a value');
  }

  #object(path: JsonPath): void {
    this.#at++;
    if (this.#take('}')) return;
    const seen = new Set<string>();
    do {
      this.#key(path, seen);
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}"');
  }

  #key(parent: JsonPath, seen: Set<string>): void {
    if (this.#peek() !== '"') this.#fail('a key in double quotes');
    const start = this.#at;
    const key = this.#string();
    const path = [...parent, key];
    if (seen.has(key)) this.duplicates.push({ path, line: this.#positionOf(start).line });
    seen.add(key);
    if (!this.#take(':')) this.#fail('":"');
    this.#value(path);
  }

  #list(path: JsonPath): void {
    this.#at++;
    if (this.#take(']')) return;
    let index = 0;
    do {
      this.#value([...path, index++]);
    } while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]"');
  }

  #string(): string {
    return JSON.parse(this.#match(STRING) ?? this.#fail(WHOLE_STRING)) as string;
  }

  /** The next character that is not white space; undefined at the end. */
  #peek(): string | undefined {
    this.#match(WHITESPACE);
    return this.#text[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
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
