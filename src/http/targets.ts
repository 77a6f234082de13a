import { type Parameters, parseParameters } from './parameters.ts';

/** What a request line asks for. */
export interface Target {
  readonly path: string;
  readonly parameters: Parameters;
}

const MAX_KEPT = 256;
const MAX_KEPT_LENGTH = 256;

/** Parses request targets. The short ones are kept for a while, because a client that writes names the same one again. */
export class Targets {
  readonly #kept = new Map<string, Target>();

  parse(text: string): Target {
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const target = targetOf(text);
    if (text.length > MAX_KEPT_LENGTH) return target;
    if (this.#kept.size === MAX_KEPT) this.#kept.clear();
    this.#kept.set(text, target);
    return target;
  }
}

/** A client that takes the proxy for an HTTP proxy sends the whole URL. */
function targetOf(text: string): Target {
  const url = text.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, parameters: parseParameters('') };
  return { path: url.slice(0, mark), parameters: parseParameters(url.slice(mark + 1)) };
}
