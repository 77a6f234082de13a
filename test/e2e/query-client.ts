import { type HttpAnswer, type HttpRequest, httpRequest } from '../support/http-client.ts';

/** Where the parameters of a query go: all into the URL, or q into a form and the others into the URL. */
export type Way = 'GET' | 'POST' | 'form';

export interface Ask extends HttpRequest {
  readonly way?: Way;
  /** More parameters. */
  readonly with?: Readonly<Record<string, string>>;
}

export const FORM = 'application/x-www-form-urlencoded';

/** One query to a server or a proxy. */
export function ask(url: string, db: string, q: string, options: Ask = {}): Promise<HttpAnswer> {
  const { way = 'GET', with: more = {}, ...request } = options;
  const shared = { ...(db !== '' && { db }), ...more };
  if (way !== 'form') {
    const query = new URLSearchParams({ ...shared, q }).toString();
    return httpRequest(`${url}/query?${query}`, { ...request, method: way });
  }
  return httpRequest(`${url}/query?${new URLSearchParams(shared).toString()}`, {
    ...request,
    headers: { 'Content-Type': FORM, ...request.headers },
    body: new URLSearchParams({ q }).toString(),
  });
}

/** What a client of a query sees, less what differs from answer to answer. */
export function shownAnswer({ status, headers, body }: HttpAnswer): Record<string, unknown> {
  return {
    status,
    type: headers['content-type'],
    encoding: headers['content-encoding'],
    error: headers['x-influxdb-error'],
    body: body.toString('latin1'),
  };
}

/** Headers that may differ: the proxy's own, and what depends on the moment or on the connection. */
const UNEQUAL = /^(date|connection|keep-alive|transfer-encoding|content-length|x-influx-proxy-.*)$/;

/** The same with every header that must be equal; lists of words in them are sorted. */
export function shownWhole({ status, headers, body }: HttpAnswer): Record<string, unknown> {
  const shared = Object.entries(headers).filter(([name]) => !UNEQUAL.test(name));
  const words = (value: unknown): unknown =>
    typeof value === 'string' ? value.split(', ').sort().join(', ') : value;
  return {
    status,
    body: body.toString('latin1'),
    ...Object.fromEntries(shared.map(([name, value]) => [name, words(value)])),
  };
}
