import type { JsonPath } from './json.ts';
import { describe, memberOf, type Problem } from './problems.ts';
import { backendSchema, proxySchema } from './schema.ts';

/**
 * What no single key can tell. Works on the file's own value, before the schema has judged it, so that these problems
 * are reported together with all others; it skips whatever has a wrong type.
 */
export function ruleProblems(input: unknown): Problem[] {
  const backends = entriesOf(memberOf(input, 'backends'));
  const names = backends.map(([name]) => name);
  return [
    ...sizeProblems(memberOf(input, 'proxy')),
    ...nameProblems(names),
    ...backends.flatMap(([name, backend]) => backendProblems(name, backend)),
    ...keymapProblems(memberOf(input, 'keymaps'), names),
  ];
}

/** Each must hold what the one before lets through, or a body that is allowed would be refused for ever. */
const ASCENDING_SIZES = ['maxBodySize', 'maxInflatedSize', 'maxInflightBytes'] as const;

function sizeProblems(proxy: unknown): Problem[] {
  const sizes = ASCENDING_SIZES.map((key) => {
    const found = memberOf(proxy, key);
    const byDefault = proxySchema.shape[key].def.defaultValue;
    return found === undefined
      ? { key, bytes: byDefault, found: `nothing (${byDefault} by default)` }
      : { key, bytes: found, found: describe(found, [key]) };
  });
  return sizes.flatMap(({ key, bytes, found }, index) => {
    const inner = sizes[index - 1];
    if (inner === undefined || !isMore(inner.bytes, bytes)) return [];
    const expected = `at least ${inner.key} (${describe(inner.bytes, [])})`;
    return [problem(['proxy', key], found, expected)];
  });
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;

/** A backend's spill is a directory of its name, on file systems that may not tell `A` from `a`. */
function nameProblems(names: readonly string[]): Problem[] {
  const sameAs = new Map<string, string>();
  return names.flatMap((name) => {
    const path = ['backends', name];
    if (!NAME.test(name) || name === '__proto__') return [problem(path, NAME_FOUND, NAME_EXPECTED)];
    const other = sameAs.get(name.toLowerCase());
    sameAs.set(name.toLowerCase(), name);
    if (other === undefined) return [];
    return [problem(path, `a name that differs from ${other} by case only`, 'another name')];
  });
}

const NAME_FOUND = 'a name that is not safe as a directory';
const NAME_EXPECTED =
  'up to 100 letters, digits, ".", "_" and "-", the first not "." (the spill has this name)';

function backendProblems(name: string, backend: unknown): Problem[] {
  const problems: Problem[] = [];
  const at = (key: string): JsonPath => ['backends', name, key];
  const spillAfter = memberOf(backend, 'spillAfter');
  const timeout = memberOf(backend, 'timeout') ?? backendSchema.shape.timeout.def.defaultValue;
  if (isMore(spillAfter, timeout)) {
    const expected = `at most timeout (${describe(timeout, [])})`;
    problems.push(problem(at('spillAfter'), describe(spillAfter, []), expected));
  }
  if (isNonEmptyText(memberOf(backend, 'password')) && !memberOf(backend, 'username')) {
    problems.push(problem(at('username'), 'nothing', 'a user name, because there is a password'));
  }
  return problems;
}

function keymapProblems(keymaps: unknown, defined: readonly string[]): Problem[] {
  const known = new Set(defined);
  return entriesOf(keymaps).flatMap(([measurement, list]) => {
    const path = ['keymaps', measurement];
    if (measurement === '' || measurement === '__proto__') {
      return [problem(path, JSON.stringify(measurement), 'the name of a measurement')];
    }
    return Array.isArray(list) ? listProblems(path, list, known) : [];
  });
}

function listProblems(
  path: JsonPath,
  list: readonly unknown[],
  defined: ReadonlySet<string>,
): Problem[] {
  const seen = new Set<string>();
  return list.flatMap((name, index) => {
    if (typeof name !== 'string') return []; // the schema's business
    const isDefined = defined.has(name);
    if (isDefined && !seen.has(name)) {
      seen.add(name);
      return [];
    }
    const at = [...path, index];
    if (!isDefined) return [problem(at, describe(name, []), backendExpected(defined))];
    return [problem(at, `"${name}" a second time`, 'each backend once')];
  });
}

/** Names that still fit a terminal's line. */
const MAX_LISTED = 8;

function backendExpected(defined: ReadonlySet<string>): string {
  if (defined.size === 0) return 'a backend that is defined (none is)';
  const names = [...defined].slice(0, MAX_LISTED).join(', ');
  return `a backend that is defined: ${names}${defined.size > MAX_LISTED ? ', ...' : ''}`;
}

function problem(path: JsonPath, found: string, expected: string): Problem {
  return { path, text: `found ${found}, expected ${expected}` };
}

function entriesOf(value: unknown): [string, unknown][] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? Object.entries(value) : [];
}

function isMore(value: unknown, limit: unknown): boolean {
  return typeof value === 'number' && typeof limit === 'number' && value > limit;
}

function isNonEmptyText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
