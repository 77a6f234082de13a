// A string (skipped whole, whatever it contains) or a number.
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A number as the sender wrote it: a double would round what an int64 holds. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `JSON.parse` that keeps every digit: each number comes as a `NumberText`. */
export function parseExactJson(json: string): unknown {
  // Strings get a mark in front so that what was a number can be told from what was a string.
  const marked = json.replace(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') ? `"s${token.slice(1)}` : `"n${token}"`,
  );
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value === 'string') return unmark(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    if (value instanceof NumberText) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.slice(1), item]));
  });
}

function unmark(marked: string): string | NumberText {
  const text = marked.slice(1);
  return marked.startsWith('n') ? new NumberText(text) : text;
}
