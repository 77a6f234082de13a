/** The numbers of a version: `1.8.10` is [1, 8, 10], and so is `1.8.10~rc0-1`. Undefined when it names none. */
function numbersOf(version: string): readonly number[] | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  return match?.slice(1).map((digits) => Number(digits || 0));
}

/** The lowest of the versions that can be compared. */
export function lowestVersion(versions: readonly string[]): string | undefined {
  const comparable = versions.flatMap((version) => {
    const numbers = numbersOf(version);
    return numbers === undefined ? [] : [{ version, numbers }];
  });
  return comparable.toSorted((a, b) => compare(a.numbers, b.numbers))[0]?.version;
}

/** False when either names no version. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [numbersOf(version), numbersOf(least)];
  return a !== undefined && b !== undefined && compare(a, b) >= 0;
}

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((number, index) => number - (b[index] ?? 0)).find((delta) => delta !== 0) ?? 0;
}
