import type { TokenKind } from './lexer.ts';

/** What stands in a parameter's place: a literal token, or BOUNDPARAM with the reason why it has none. */
export interface Binding {
  readonly kind: TokenKind;
  readonly value: string;
}

export type Bindings = ReadonlyMap<string, Binding>;
export type BindResult =
  | { readonly ok: true; readonly bindings: Bindings }
  | { readonly ok: false; readonly error: string };

/**
 * The meaning of the decoded `params` object. A value that InfluxDB cannot bind is an error only where a statement
 * uses it. Whoever forwards the parameters must send this decoded object, encoded anew: InfluxDB stops reading after
 * the first JSON value and so may see other bindings than a stricter decoder.
 */
export function bindParams(params: unknown): BindResult {
  if (params === undefined || params === null) return { ok: true, bindings: new Map() };
  if (typeof params !== 'object' || Array.isArray(params)) {
    return { ok: false, error: 'params must be a JSON object' };
  }
  const bindings = new Map<string, Binding>();
  for (const [name, value] of Object.entries(params)) {
    const binding = bind(value);
    if (!isCleanText(name) || !isCleanText(binding.value)) {
      return { ok: false, error: 'params hold a NUL or half of a surrogate pair' };
    }
    bindings.set(name, binding);
  }
  return { ok: true, bindings };
}

/**
 * InfluxDB's parser takes NUL for the end of the text and then reads on, so that nothing it says of a text with a NUL
 * can be relied on. Half a surrogate pair would reach the server as U+FFFD, another name than the one judged here.
 */
export function isCleanText(text: string): boolean {
  return !/[\0\ud800-\udfff]/u.test(text);
}

function bind(value: unknown): Binding {
  if (typeof value === 'string') return { kind: 'STRING', value };
  if (typeof value === 'boolean') return { kind: value ? 'TRUE' : 'FALSE', value: '' };
  if (Number.isInteger(value)) return integer(value as number);
  if (typeof value === 'number') return { kind: 'NUMBER', value: String(value) };
  return isObject(value) ? bindObject(value) : unusable('unable to bind parameter of this type');
}

/** `{"identifier": "cpu"}`: one key, which names the type. */
function bindObject(object: object): Binding {
  const [entry, ...others] = Object.entries(object) as [string, unknown][];
  if (entry === undefined || others.length > 0) {
    return unusable('bound object parameter value must have exactly one entry');
  }
  const binder = BINDERS.get(entry[0]);
  return binder === undefined
    ? unusable(`unknown bind object type: ${entry[0]}`)
    : binder(entry[1]);
}

type Binder = (value: unknown) => Binding;

const BINDERS: ReadonlyMap<string, Binder> = new Map<string, Binder>([
  ['ident', text('IDENT', 'identifier must be a string value')],
  ['identifier', text('IDENT', 'identifier must be a string value')],
  ['regex', text('REGEX', 'regex literal must be a string value')],
  ['string', text('STRING', 'string literal must be a string value')],
  ['float', bindNumber],
  ['number', bindNumber],
  ['int', bindInteger],
  ['integer', bindInteger],
  ['duration', bindDuration],
]);

function text(kind: TokenKind, complaint: string): Binder {
  return (value) => (typeof value === 'string' ? { kind, value } : unusable(complaint));
}

function bindNumber(value: unknown): Binding {
  if (typeof value !== 'number') return unusable('number literal must be a float value');
  return { kind: 'NUMBER', value: String(value) };
}

function bindInteger(value: unknown): Binding {
  if (!Number.isInteger(value)) return unusable('integer literal must be an integer value');
  return integer(value as number);
}

function bindDuration(value: unknown): Binding {
  if (typeof value === 'string') return { kind: 'DURATIONVAL', value };
  if (!Number.isInteger(value)) {
    return unusable('duration literal must be a string or integer value');
  }
  return { kind: 'DURATIONVAL', value: `${integer(value as number).value}ns` };
}

/** All digits, never an exponent. */
function integer(value: number): Binding {
  return { kind: 'INTEGER', value: BigInt(value).toString() };
}

function unusable(reason: string): Binding {
  return { kind: 'BOUNDPARAM', value: reason };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
