import { MIMEType } from 'node:util';
import type { Budget } from '../core/budget.ts';
import { readBytes } from './body.ts';
import { type Parameters, parseParameters } from './parameters.ts';
import type { Exchange } from './routes.ts';

/** What a request to a form says, in its URL and in its body. */
export interface Form {
  readonly values: Parameters;
  /** Contents of the files, by the name of their field; of two the first. */
  readonly files: Parameters;
}

/** Go's limit for an urlencoded form; this proxy's for a multipart one too. */
const MAX_FORM_BYTES = 10 * 1024 * 1024;

/** Go's limit for the parts of a multipart form: a million empty ones would take seconds. */
const MAX_PARTS = 1000;

const NO_FILES: Parameters = new Map();

/**
 * Reads by the rules of Go's net/http, which InfluxDB uses: the body of an urlencoded POST wins over the URL, the URL over
 * a multipart body, of any method. A body that is no form, or a broken one, counts as none; none is inflated. Rejects as
 * readBytes does.
 */
export async function readForm(
  exchange: Exchange,
  maxStallMs: number,
  budget: Budget,
): Promise<Form> {
  const { request, parameters } = exchange;
  const contentType = request.headers['content-type'];
  if (contentType === undefined) return { values: parameters, files: NO_FILES };
  const type = mimeTypeOf(contentType);
  const isUrlencoded =
    request.method === 'POST' && type?.essence === 'application/x-www-form-urlencoded';
  const boundary = type?.essence === 'multipart/form-data' ? type.params.get('boundary') : null;
  if (!isUrlencoded && boundary === null) return { values: parameters, files: NO_FILES };
  const limits = { maxBodySize: MAX_FORM_BYTES, maxStallMs };
  const { bytes, release } = await readBytes(exchange, limits, budget);
  try {
    if (boundary === null) {
      const values = new Map([...parameters, ...parseParameters(bytes.toString('utf8'))]);
      return { values, files: NO_FILES };
    }
    const form = parseMultipart(bytes, boundary);
    return {
      values: new Map([...(form?.values ?? []), ...parameters]),
      files: form?.files ?? NO_FILES,
    };
  } finally {
    release();
  }
}

/**
 * The parts of a `multipart/form-data` body (RFC 7578). Undefined when it is cut short or has too many. Written here because what Node has
 * for it, `Response.formData`, refuses boundaries of fewer than 27 characters and names without quotes.
 */
export function parseMultipart(bytes: Buffer, boundary: string): Form | undefined {
  const values = new Map<string, string>();
  const files = new Map<string, string>();
  // A character a byte.
  const text = bytes.toString('latin1');
  const escaped = boundary.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const delimiter = new RegExp(`(?:^|\\r?\\n)--${escaped}(--)?[ \\t]*(?=\\r?\\n|$)`, 'g');
  let start: number | undefined;
  let parts = 0;
  for (const mark of text.matchAll(delimiter)) {
    if (start !== undefined) {
      const part = parsePart(text.slice(start, mark.index));
      if (part === undefined || ++parts > MAX_PARTS) return undefined;
      const fields = part.isFile ? files : values;
      if (!fields.has(part.name)) fields.set(part.name, part.content);
    }
    if (mark[1] !== undefined) return { values, files };
    start = mark.index + mark[0].length;
  }
  return undefined;
}

interface Part {
  /** Empty when it has none. */
  readonly name: string;
  readonly isFile: boolean;
  readonly content: string;
}

/** Undefined when it has no end of its headers. */
function parsePart(text: string): Part | undefined {
  const blankLine = /\r?\n\r?\n/.exec(text);
  if (blankLine === null) return undefined;
  const disposition = dispositionOf(text.slice(0, blankLine.index));
  const fileName = disposition?.get('filename') ?? disposition?.get('filename*') ?? '';
  const content = text.slice(blankLine.index + blankLine[0].length);
  return {
    name: disposition?.get('name') ?? '',
    isFile: fileName !== '',
    content: Buffer.from(content, 'latin1').toString('utf8'),
  };
}

/** The parameters of a part's `Content-Disposition`, which are written as those of a type are. */
function dispositionOf(headers: string): MIMEType['params'] | undefined {
  const match = /^content-disposition:[ \t]*form-data[ \t]*(;.*)$/im.exec(headers);
  return mimeTypeOf(`multipart/form-data${match?.[1] ?? ''}`)?.params;
}

function mimeTypeOf(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text);
  } catch {
    return undefined;
  }
}
