import { SyntaxFault, type Cursor } from './cursor.ts';
import type { Rule, Scope } from './draft.ts';
import type { Token } from './lexer.ts';
import type { Name, Source, Span, Target } from './statement.ts';

export interface Path {
  readonly names: readonly Name[];
  /** The last dot is followed by a slash or a colon, which the caller reads. */
  readonly open: boolean;
}

/** `a`, `a.b`, `a..b`, `a.b.c`: no blank may stand before a dot. */
export function path(cursor: Cursor): Path {
  const names = [cursor.name()];
  let open = false;
  while (!open && cursor.takeRawIf('.') !== undefined) {
    const next = cursor.text.charAt(cursor.at);
    open = next === '/' || next === ':';
    if (next === '.') names.push({ value: '', start: cursor.at, end: cursor.at });
    else if (!open) names.push(cursor.name());
  }
  if (names.length > 3) throw new SyntaxFault(`too many segments in ${shown(names)}`);
  return { names, open };
}

function shown(names: readonly Name[]): string {
  return `${names.map(({ value }) => value).join('.')} at line 1, char 1`;
}

/** FROM's list, without sub-queries. */
function plainSources(cursor: Cursor, scope: Scope): void {
  do {
    plainSource(cursor, scope);
  } while (cursor.takeIf(',') !== undefined);
}

export const from: Rule = (cursor, scope) => {
  if (cursor.takeIf('FROM') !== undefined) plainSources(cursor, scope);
};

export function plainSource(cursor: Cursor, scope: Scope): void {
  if (!regexSource(cursor, scope)) namedSource(cursor, scope);
}

/** `/re/`, or a parameter that holds one. */
export function regexSource(cursor: Cursor, { statement, depth }: Scope): boolean {
  const regex = cursor.takeRegex();
  if (regex !== undefined) statement.sources.push(source([], regex.value, depth, regex));
  return regex !== undefined;
}

/** `name`, `db.rp.name`, `rp./re/` ... */
export function namedSource(cursor: Cursor, { statement, depth }: Scope): void {
  const { start } = cursor.peek();
  const { names, open } = path(cursor);
  const regex = names.length < 3 ? regexBehind(cursor, open) : undefined;
  statement.sources.push(source(names, regex?.value, depth, { start, end: cursor.at }));
}

function regexBehind(cursor: Cursor, open: boolean): Token | undefined {
  return open ? cursor.takeRegex() : cursor.takeRegexBehindName();
}

function source(
  names: readonly Name[],
  regex: string | undefined,
  depth: number,
  { start, end }: Span,
): Source {
  const prefix = regex === undefined ? names.slice(0, -1) : names;
  const name = regex === undefined ? names.at(-1)?.value : undefined;
  const [rp, db] = prefix.toReversed().map(ifNamed);
  return { db, rp, name, regex, depth, start, end };
}

/** What follows INTO. */
export function target(cursor: Cursor): Target {
  const { start } = cursor.peek();
  const { names, open } = path(cursor);
  const backref = names.length < 3 && beforeColon(cursor, open);
  if (backref) {
    cursor.expect(':');
    cursor.expect('MEASUREMENT');
  }
  const prefix = backref ? names : names.slice(0, -1);
  const name = backref ? '' : (names.at(-1)?.value ?? '');
  const [rp, db] = prefix.toReversed().map(ifNamed);
  return { db, rp, name, backref, start, end: cursor.at };
}

/** As with a regex behind a name, InfluxDB looks behind the token after the name: `rp :MEASUREMENT` is a back reference. */
function beforeColon(cursor: Cursor, open: boolean): boolean {
  return cursor.text.charAt(open ? cursor.at : cursor.raw().end) === ':';
}

/** `db."".m` means the same as `db..m`: the default. */
function ifNamed(name: Name): Name | undefined {
  return name.value === '' ? undefined : name;
}
