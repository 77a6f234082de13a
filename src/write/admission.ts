import { ProxyError } from '../core/errors.ts';
import type { Route } from '../routing/keymap.ts';
import type { Detachment } from './detachment.ts';

/** A backend, as far as its room is concerned. */
export interface Member {
  readonly name: string;
  readonly detachment: Pick<Detachment, 'isDetached' | 'isAllowed' | 'isHolder' | 'detach'>;
  /** Room in its spill, to be used or given back with `release`. */
  tryReserve(bytes: number): boolean;
  release(bytes: number): void;
  /** What lacks room lacks it because of its backlog or of a disk that is low, not because of requests under way. */
  isFull(bytes: number): boolean;
}

/**
 * Bytes of a reservation beside those of the lines or the statement: for the header of the record, and for lines that do not
 * compress; others become shorter.
 */
export const RECORD_OVERHEAD_BYTES = 1024;

/** What each of these backends, the detached ones left out, would have to keep if it took nothing. */
export interface Need {
  readonly backends: readonly string[];
  readonly bytes: number;
}

/**
 * Lets a request in when every backend of its routes that is not detached has room for it in its spill, all of them or
 * none. For backends that are full it decides: give them up, or refuse the request.
 *
 * A backend is given up only if that lets the request in, and only while each of its routes, not just those of the
 * request, keeps another one that holds everything. Such a holder has got every acknowledged point of the route, because a
 * write is acknowledged without a backend only after that one was given up.
 */
export class Admission {
  readonly #routes: readonly Route[];
  readonly #members: ReadonlyMap<string, Member>;

  constructor(routes: readonly Route[], members: ReadonlyMap<string, Member>) {
    this.#routes = routes;
    this.#members = members;
  }

  /** Afterwards the bytes are reserved wherever the points must go. Rejects with a ProxyError (503): nothing is reserved. */
  async admit(needs: readonly Need[]): Promise<void> {
    for (;;) {
      const short = this.#tryReserve(needs);
      if (short.size === 0) return;
      await this.#giveUp(short);
    }
  }

  /** As `admit`, if there is room everywhere; false: nothing is reserved. Throws as that rejects. */
  tryAdmit(needs: readonly Need[]): boolean {
    return this.#tryReserve(needs).size === 0;
  }

  /** Those that have no room; then nothing is reserved anywhere. */
  #tryReserve(needs: readonly Need[]): ReadonlyMap<Member, number> {
    const taken: [Member, number][] = [];
    const short = new Map<Member, number>();
    for (const [member, bytes] of this.#bytesOf(needs)) {
      if (member.tryReserve(bytes)) taken.push([member, bytes]);
      else short.set(member, bytes);
    }
    if (short.size > 0) for (const [member, bytes] of taken) member.release(bytes);
    return short;
  }

  /** What each backend that is not detached would have to take. */
  #bytesOf(needs: readonly Need[]): ReadonlyMap<Member, number> {
    const bytesOf = new Map<Member, number>();
    for (const { backends, bytes } of needs) {
      const members = this.#membersOf(backends).filter(({ detachment }) => !detachment.isDetached);
      if (members.length === 0) {
        throw new ProxyError('SPILL_FULL', `every server is detached: ${backends.join(', ')}`);
      }
      for (const member of members) bytesOf.set(member, (bytesOf.get(member) ?? 0) + bytes);
    }
    return bytesOf;
  }

  async #giveUp(short: ReadonlyMap<Member, number>): Promise<void> {
    const leaving = [...short.keys()];
    const stays = leaving.find(
      (member) =>
        !member.detachment.isAllowed ||
        !member.isFull(short.get(member) ?? 0) ||
        !this.#isDispensable(member, leaving),
    );
    if (stays !== undefined) {
      throw new ProxyError('SPILL_FULL', `no room left in the spill of ${stays.name}`);
    }
    await Promise.all(leaving.map(({ detachment }) => detachment.detach('its spill is full')));
  }

  /** Each of its routes keeps a holder that stays. */
  #isDispensable({ name }: Member, leaving: readonly Member[]): boolean {
    return this.#routes
      .filter(({ backends }) => backends.includes(name))
      .every((route) =>
        this.#membersOf(route.backends).some(
          (other) => other.detachment.isHolder && !leaving.includes(other),
        ),
      );
  }

  #membersOf(backends: readonly string[]): readonly Member[] {
    return backends.map((name) => {
      const member = this.#members.get(name);
      if (member === undefined) throw new Error(`BUG: no member for backend ${name}`);
      return member;
    });
  }
}
