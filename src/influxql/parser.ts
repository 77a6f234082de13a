import { Cursor, SyntaxFault } from './cursor.ts';
import { StatementDraft } from './draft.ts';
import { LANGUAGE, OTHERWISE, type Branch, type Row } from './language.ts';
import { bindParams, isCleanText } from './params.ts';
import { effectOf, type Statement } from './statement.ts';

export type ParseResult =
  | { readonly ok: true; readonly statements: readonly Statement[] }
  | { readonly ok: false; readonly error: string };

/** UTF-16 units of a query. A dashboard's longest are some ten thousand; the worst of this length takes some 0.1 s of an idle processor. */
export const MAX_QUERY_LENGTH = 256 * 1024;
/** Statements of one query: each may cost a request per backend. */
export const MAX_STATEMENTS = 1000;
/** UTF-16 units of an error: it goes into logs and into a response header. */
const MAX_ERROR_LENGTH = 1000;

/**
 * The statements of the text of a `q` parameter, in order; an empty text has none. `params` is the decoded JSON object
 * of the `params` parameter, or undefined. The error is what follows `error parsing query: ` in InfluxDB's answer.
 * Linear in the length of the text.
 */
export function parseQuery(text: string, params?: unknown): ParseResult {
  if (text.length > MAX_QUERY_LENGTH) return { ok: false, error: 'query is too long' };
  if (!isCleanText(text)) {
    return { ok: false, error: 'query holds a NUL or half of a surrogate pair' };
  }
  const bound = bindParams(params);
  if (!bound.ok) return bound;
  try {
    return { ok: true, statements: parseBatch(new Cursor(text, bound.bindings)) };
  } catch (error) {
    if (error instanceof SyntaxFault) return { ok: false, error: abridged(error.message) };
    throw error;
  }
}

/** Statements, with at least one semicolon between any two. Throws SyntaxFault. */
export function parseBatch(cursor: Cursor): readonly Statement[] {
  const statements: Statement[] = [];
  for (let separated = true; cursor.peek().kind !== 'EOF';) {
    if (cursor.takeIf(';') !== undefined) {
      separated = true;
      continue;
    }
    if (!separated) cursor.fail([';']);
    if (statements.length === MAX_STATEMENTS)
      throw new SyntaxFault('query has too many statements');
    statements.push(parseStatement(cursor));
    separated = false;
  }
  return statements;
}

function parseStatement(cursor: Cursor): Statement {
  const { start } = cursor.peek();
  const { type, rules } = findRow(cursor, LANGUAGE);
  const statement = new StatementDraft(type, start);
  const scope = { statement, clauses: statement, depth: 0 };
  for (const rule of rules) rule(cursor, scope);
  statement.end = cursor.at;
  statement.effect = effectOf(statement.type);
  return statement;
}

/** Reads keywords as long as the table branches on them. */
function findRow(cursor: Cursor, branch: Branch): Row {
  const { kind } = cursor.peek();
  const next = branch.get(kind);
  if (next !== undefined) cursor.take();
  const found = next ?? branch.get(OTHERWISE);
  if (found === undefined) cursor.fail([...branch.keys()]);
  return 'rules' in found ? found : findRow(cursor, found);
}

/** A message quotes what it found, which may be most of the text; both ends tell enough. */
function abridged(message: string): string {
  if (message.length <= MAX_ERROR_LENGTH) return message;
  const half = MAX_ERROR_LENGTH / 2;
  const ends = `${message.slice(0, half)}...${message.slice(-half)}`;
  return ends.replace(/[\ud800-\udfff]/gu, '\ufffd'); // a pair may have been cut
}
