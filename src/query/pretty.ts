const INDENT = '    ';

/**
 * Lays out JSON as InfluxDB does for `pretty=true`: Go's MarshalIndent, four blanks a level. `next` takes compact texts
 * that together are documents, each ended by a line feed, cut anywhere.
 */
export class PrettyPrinter {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** A bracket was opened, and nothing has followed yet: an empty pair stays together. */
  #isOpen = false;

  next(text: string): string {
    let laidOut = '';
    for (const char of text)
      laidOut += this.#isInString ? this.#inString(char) : this.#outside(char);
    return laidOut;
  }

  #inString(char: string): string {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (char === '\\') this.#isEscaped = true;
    else if (char === '"') this.#isInString = false;
    return char;
  }

  #outside(char: string): string {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (char === '}' || char === ']') {
      this.#depth--;
      return wasOpen ? char : this.#newLine() + char;
    }
    const before = wasOpen ? this.#newLine() : '';
    if (char === '{' || char === '[') {
      this.#depth++;
      this.#isOpen = true;
    }
    if (char === '"') this.#isInString = true;
    if (char === ',') return char + this.#newLine();
    return before + (char === ':' ? ': ' : char);
  }

  #newLine(): string {
    return `\n${INDENT.repeat(this.#depth)}`;
  }
}
