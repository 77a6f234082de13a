import { invariant } from '../core/errors.ts';

/** The measurement name of the keymap's entry for all that no other entry names. */
export const DEFAULT_MEASUREMENT = '_default_';

/** The set of backends that each hold a full copy of the measurements that map here. */
export interface Route {
  /** Dense: `keymap.routes[route.id] === route`, so per-route state can live in an array. */
  readonly id: number;
  /** Sorted and without duplicates; the order in the configuration has no meaning. */
  readonly backends: readonly string[];
}

/**
 * Exact measurement name to route. There is no prefix match: with overlapping prefixes the same measurement could go
 * two ways. Measurements with the same set of backends share one `Route` object, so that their points share batches.
 */
export class Keymap {
  readonly routes: readonly Route[];
  // A Map and not an object: a measurement may be called `constructor` or `__proto__`.
  readonly #routeOf = new Map<string, Route>();
  readonly #default: Route | undefined;

  constructor(keymaps: Readonly<Record<string, readonly string[]>>) {
    const routes = new RouteTable();
    for (const [measurement, backends] of Object.entries(keymaps)) {
      this.#routeOf.set(measurement, routes.of(backends));
    }
    this.#default = this.#routeOf.get(DEFAULT_MEASUREMENT);
    this.routes = Object.freeze(routes.all);
  }

  /** `measurement` is unescaped. Undefined: no entry names it and there is no `_default_`. */
  routeOf(measurement: string): Route | undefined {
    return this.#routeOf.get(measurement) ?? this.#default;
  }
}

/** Hands out one Route per set of backends. */
class RouteTable {
  readonly all: Route[] = [];
  // By lists as they were given and by sets: few lists, for very many measurements.
  readonly #known = new Map<string, Route>();

  of(names: readonly string[]): Route {
    const list = JSON.stringify(names);
    const route = this.#known.get(list) ?? this.#ofSet([...new Set(names)].sort());
    this.#known.set(list, route);
    return route;
  }

  #ofSet(backends: readonly string[]): Route {
    invariant(backends.length > 0, 'a measurement that maps to no backend');
    const set = JSON.stringify(backends);
    const known = this.#known.get(set);
    if (known !== undefined) return known;
    const route = Object.freeze({ id: this.all.length, backends: Object.freeze(backends) });
    this.#known.set(set, route);
    this.all.push(route);
    return route;
  }
}
