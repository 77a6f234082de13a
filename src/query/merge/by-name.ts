/** What belongs to one measurement, whose name is a byte string. */
export interface Named {
  readonly name: string;
}

/**
 * Joins sources of which each is sorted by name, and no two hold the same name, into one sorted source. It holds one
 * item of each, and reads on only when that has been taken.
 */
export async function* mergeByName<T extends Named>(
  sources: readonly AsyncIterator<T>[],
  descending = false,
): AsyncGenerator<T, void, undefined> {
  const heads = await Promise.all(sources.map(headOf));
  const waiting = heads.filter((head) => head !== undefined);
  for (;;) {
    const first = firstOf(waiting, descending);
    if (first === undefined) return;
    yield first.item;
    const next = await headOf(first.source);
    if (next === undefined) waiting.splice(waiting.indexOf(first), 1);
    else waiting.splice(waiting.indexOf(first), 1, next);
  }
}

interface Head<T> {
  readonly source: AsyncIterator<T>;
  readonly item: T;
}

async function headOf<T>(source: AsyncIterator<T>): Promise<Head<T> | undefined> {
  const { done, value } = (await source.next()) as IteratorResult<T, undefined>;
  return done === true ? undefined : { source, item: value };
}

function firstOf<T extends Named>(
  heads: readonly Head<T>[],
  descending: boolean,
): Head<T> | undefined {
  const before = (a: string, b: string): boolean => (descending ? a > b : a < b);
  return heads.reduce<Head<T> | undefined>(
    (best, head) => (best === undefined || before(head.item.name, best.item.name) ? head : best),
    undefined,
  );
}
