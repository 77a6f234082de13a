import type { Item } from './answer-reader.ts';
import type { Lease } from './lease.ts';

type Items = AsyncGenerator<Item, void, undefined>;

/**
 * The same items, once the first `heldBytes` bytes of them, or all, are there; what is held counts against the lease. Rejects
 * as the iteration does when it fails before: none of the items is used then.
 */
export async function withBeginning(items: Items, lease: Lease, heldBytes: number): Promise<Items> {
  const held: Item[] = [];
  let bytes = 0;
  try {
    while (bytes < heldBytes) {
      const next = await items.next();
      if (next.done === true) break;
      held.push(next.value);
      lease.take(bytesOf(next.value));
      bytes += bytesOf(next.value);
    }
    return resumed(held, items, lease);
  } catch (error) {
    lease.give(bytes);
    await items.return();
    throw error;
  }
}

async function* resumed(held: readonly Item[], rest: Items, lease: Lease): Items {
  try {
    for (const item of held) {
      yield item;
      lease.give(bytesOf(item));
    }
    yield* rest;
  } finally {
    await rest.return();
  }
}

/** Messages are few and short. */
function bytesOf(item: Item): number {
  if (item.kind === 'messages') return 0;
  const { name, tags, columns, rows } = item;
  return name.length + tags.length + columns.length + rows.length;
}
