import { type Parameters, parseParameters } from './parameters.ts';

/** What a request line asks for. */
export interface Target {
  readonly path: string;
  readonly parameters: Parameters;
}

/** A client that takes the proxy for an HTTP proxy sends the whole URL. */
export function targetOf(text: string): Target {
  const url = text.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, parameters: parseParameters('') };
  return { path: url.slice(0, mark), parameters: parseParameters(url.slice(mark + 1)) };
}
