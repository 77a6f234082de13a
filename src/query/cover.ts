import type { Route } from '../routing/keymap.ts';
import { compareRanks, rankOf, type Replica } from './replica.ts';

/** The routes for whose measurements one replica answers. */
export interface Share {
  readonly replica: Replica;
  readonly routes: ReadonlySet<Route>;
}

/**
 * Divides routes among replicas so that each route has exactly one, and a measurement is never counted twice. Each route
 * gets a replica as good as its best one (complete, up, near); among those, as few replicas as a greedy choice finds.
 * `orderOf` gives the replicas of a route that may be asked, the best first. A route without any is left out.
 */
export function coverOf(
  routes: readonly Route[],
  orderOf: (route: Route) => readonly Replica[],
  zone: string,
): readonly Share[] {
  const candidates = new Map<Replica, Set<Route>>();
  for (const route of routes) {
    for (const replica of equallyGood(orderOf(route), zone)) {
      const others = candidates.get(replica);
      if (others === undefined) candidates.set(replica, new Set([route]));
      else others.add(route);
    }
  }
  const shares: Share[] = [];
  for (;;) {
    const [largest] = [...candidates].toSorted(([, a], [, b]) => b.size - a.size);
    if (largest === undefined || largest[1].size === 0) return shares;
    const [replica, left] = largest;
    const covered = new Set(left);
    shares.push({ replica, routes: covered });
    for (const others of candidates.values()) for (const route of covered) others.delete(route);
  }
}

function equallyGood(order: readonly Replica[], zone: string): readonly Replica[] {
  const [best] = order;
  if (best === undefined) return [];
  return order.filter((one) => compareRanks(rankOf(one, zone), rankOf(best, zone)) === 0);
}
