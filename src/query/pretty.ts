const INDENT = '    ';

/** Pieces of compact JSON: a bracket, a comma, a colon, a string or a part of one, or a number or word. */
const TOKEN = /[{}[\],:]|"(?:[^"\\]|\\.)*"?|[^{}[\],:"]+/gs;

/**
 * Lays out JSON as InfluxDB does for `pretty=true`: Go's MarshalIndent, four blanks a level. `next` takes compact texts
 * that together are documents, each ended by a line feed; no text may end inside a string.
 */
export class PrettyPrinter {
  #depth = 0;
  /** A bracket was opened, and nothing has followed yet: an empty pair stays together. */
  #isOpen = false;

  next(text: string): string {
    const parts: string[] = [];
    for (const [token] of text.matchAll(TOKEN)) parts.push(this.#laidOut(token));
    return parts.join('');
  }

  #laidOut(token: string): string {
    const wasOpen = this.#isOpen;
    this.#isOpen = token === '{' || token === '[';
    if (token === '}' || token === ']') {
      this.#depth--;
      return wasOpen ? token : this.#newLine() + token;
    }
    const before = wasOpen ? this.#newLine() : '';
    if (this.#isOpen) this.#depth++;
    if (token === ',') return token + this.#newLine();
    return before + (token === ':' ? ': ' : token);
  }

  #newLine(): string {
    return `\n${INDENT.repeat(this.#depth)}`;
  }
}
