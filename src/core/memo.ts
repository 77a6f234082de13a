const MAX_KEPT = 256;
const MAX_KEPT_LENGTH = 512;

/**
 * What was made of texts, kept for a while because some come again and again: the queries of a dashboard, the target of every
 * write of a client. Long texts are not kept; when it is full, all are forgotten.
 */
export class Memo<T> {
  readonly #kept = new Map<string, T>();

  of(text: string, make: () => T): T {
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const made = make();
    if (text.length > MAX_KEPT_LENGTH) return made;
    if (this.#kept.size === MAX_KEPT) this.#kept.clear();
    this.#kept.set(text, made);
    return made;
  }
}
