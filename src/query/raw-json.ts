import { goJson } from '../core/go-json.ts';

/**
 * JSON that is passed on as it was written: no number, time or escape is ever decoded and encoded again. Texts are byte
 * strings, one character per byte (`latin1`), so that `<` compares them as InfluxDB does, by their UTF-8 bytes.
 */

/** What a server sent is not the JSON that InfluxDB writes. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer';
}

/** Walks over one JSON text. Each method begins where a value does and ends behind it. */
export class JsonCursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The value as it is written. */
  raw(): string {
    this.#skipBlanks();
    const start = this.#at;
    this.#skip();
    return this.#text.slice(start, this.#at);
  }

  /** Calls `member` for each member, with the cursor on its value, which it must read. Keys are not unescaped. */
  object(member: (key: string) => void): void {
    this.#list('{', '}', () => {
      const key = this.raw();
      this.#expect(':');
      member(key.slice(1, -1));
    });
  }

  /** Calls `item` for each item, with the cursor on it; it must read it. */
  array(item: () => void): void {
    this.#list('[', ']', item);
  }

  /** Throws unless nothing follows. */
  end(): void {
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail();
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    this.#skipBlanks();
    if (this.#text.charAt(this.#at) === close) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      this.#skipBlanks();
      const char = this.#text.charAt(this.#at++);
      if (char === close) return;
      if (char !== ',') this.#fail();
    }
  }

  #expect(char: string): void {
    this.#skipBlanks();
    if (this.#text.charAt(this.#at++) !== char) this.#fail();
  }

  #skip(): void {
    const char = this.#text.charAt(this.#at);
    if (char === '"') this.#skipString();
    else if (char === '{' || char === '[') this.#skipNested();
    else this.#skipWord();
  }

  /** Only brackets and strings matter: what stands between them is copied, not judged. */
  #skipNested(): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#skipString();
        continue;
      }
      this.#at++;
      if (code === OPEN_ARRAY || code === OPEN_OBJECT) depth++;
      else if ((code === CLOSE_ARRAY || code === CLOSE_OBJECT) && --depth === 0) return;
    }
    this.#fail();
  }

  #skipString(): void {
    let quote = this.#text.indexOf('"', this.#at + 1);
    while (quote !== -1 && this.#isEscaped(quote)) quote = this.#text.indexOf('"', quote + 1);
    if (quote === -1) this.#fail();
    this.#at = quote + 1;
  }

  /** The opening quote ends the run of backslashes at the latest. */
  #isEscaped(quote: number): boolean {
    let at = quote;
    while (this.#text.charCodeAt(at - 1) === BACKSLASH) at--;
    return (quote - at) % 2 === 1;
  }

  #skipWord(): void {
    WORD.lastIndex = this.#at;
    if (!WORD.test(this.#text)) this.#fail();
    this.#at = WORD.lastIndex;
  }

  #skipBlanks(): void {
    while (' \t\r\n'.includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length) {
      this.#at++;
    }
  }

  #fail(): never {
    throw new MalformedAnswer(`the answer is not InfluxDB's JSON at byte ${this.#at}`);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const WORD = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** The items of an array, as they are written. */
export function itemsOf(array: string): string[] {
  const items: string[] = [];
  const cursor = new JsonCursor(array);
  cursor.array(() => {
    items.push(cursor.raw());
  });
  return items;
}

/** The members of an object, keys and values as they are written. */
export function membersOf(object: string): [key: string, value: string][] {
  const members: [string, string][] = [];
  const cursor = new JsonCursor(object);
  cursor.object((key) => {
    members.push([`"${key}"`, cursor.raw()]);
  });
  return members;
}

/** What a JSON string says. */
export function textOf(raw: string): string {
  return String(JSON.parse(utf8Of(raw)));
}

/** The UTF-8 bytes of what a JSON string says: what InfluxDB sorts by. */
export function bytesOf(raw: string): string {
  return raw.includes('\\') ? byteString(textOf(raw)) : raw.slice(1, -1);
}

/** A value as JSON, in the form of this module. */
export function rawOf(value: unknown): string {
  return byteString(goJson(value));
}

/** The UTF-8 bytes of a text, a character each. */
export function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text of a byte string. */
export function utf8Of(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
