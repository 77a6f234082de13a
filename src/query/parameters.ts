/** The named ones of a request's parameters, those that it has, in this order. */
export function pick(
  parameters: ReadonlyMap<string, string>,
  names: readonly string[],
): [string, string][] {
  return names.flatMap((name) => {
    const value = parameters.get(name);
    return value === undefined ? [] : [[name, value]];
  });
}
