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
