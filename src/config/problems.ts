import type { z } from 'zod';
import type { JsonPath } from './json.ts';
import { backendSchema, configSchema, proxySchema } from './schema.ts';

/** One thing to fix: where, and what is wrong there, in plain words. */
export interface Problem {
  readonly path: JsonPath;
  readonly text: string;
}

/** All that one schema issue says; `input` is the whole file's value. */
export function problemsOf(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(key, path) }));
  }
  return [
    { path, text: `found ${describe(valueAt(input, path), path)}, expected ${issue.message}` },
  ];
}

/** `keymaps["cpu.load"][1]`; empty for the file as a whole. */
export function formatPath(path: JsonPath): string {
  const parts = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`;
    return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  });
  return parts.join('').replace(/^\./, '');
}

/** The own member: a key of the file may be called `constructor`. */
export function memberOf(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}

function valueAt(input: unknown, path: JsonPath): unknown {
  return path.reduce(memberOf, input);
}

// A password may also stand in front of a user name's colon.
const SECRET_KEYS: ReadonlySet<string | number | undefined> = new Set(['password', 'username']);

/** What was found at `path`, never with a password in it. */
export function describe(value: unknown, path: JsonPath): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length === 0 ? 'an empty object' : 'an object';
  }
  if (SECRET_KEYS.has(path.at(-1))) return typeof value === 'string' ? 'text' : `a ${typeof value}`;
  return JSON.stringify(typeof value === 'string' ? shorten(redact(value)) : value);
}

/** Credentials can be in front of an `@`, and after a `?` (InfluxDB's `u` and `p`), wherever a URL was put. */
function redact(value: string): string {
  return value.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@').replace(/\?.*/s, '?***');
}

const MAX_SHOWN = 80;

function shorten(value: string): string {
  return value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}...` : value;
}

function unknownKey(key: string, parent: JsonPath): string {
  const known = knownKeys(parent);
  const meant = nearest(key, known);
  const hint =
    meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${meant}?`;
  return `found an unknown key, ${hint}`;
}

/** Only these objects have a fixed set of keys. */
function knownKeys(path: JsonPath): string[] {
  if (path.length === 0) return Object.keys(configSchema.shape);
  return Object.keys(path[0] === 'proxy' ? proxySchema.shape : backendSchema.shape);
}

function nearest(key: string, candidates: readonly string[]): string | undefined {
  const wanted = key.toLowerCase();
  const ranked = candidates
    .map((name) => ({ name, distance: editDistance(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  // A third of the letters wrong is another word.
  return ranked.find(({ distance }) => distance * 3 <= key.length)?.name;
}

/** Levenshtein's: the letters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(previous, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, at(previous, column) + 1, at(current, column - 1) + 1));
    }
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
