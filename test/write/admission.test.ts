import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ProxyError } from '../../src/core/errors.ts';
import { Keymap } from '../../src/routing/keymap.ts';
import { Admission, type Member } from '../../src/write/admission.ts';

interface Traits {
  /** Bytes that fit; what lacks room lacks it because of what is on disk, unless `isBusy`. */
  readonly room?: number;
  readonly isBusy?: boolean;
  readonly rejects?: boolean;
  readonly writeOnly?: boolean;
  readonly isDetached?: boolean;
  /** The marker cannot be written. */
  readonly failsToDetach?: boolean;
}

class FakeMember implements Member {
  readonly name: string;
  readonly traits: Traits;
  reserved = 0;
  isDetached: boolean;

  constructor(name: string, traits: Traits) {
    this.name = name;
    this.traits = traits;
    this.isDetached = traits.isDetached ?? false;
  }

  get detachment(): Member['detachment'] {
    const { rejects = false, writeOnly = false, failsToDetach = false } = this.traits;
    return {
      isDetached: this.isDetached,
      isAllowed: !rejects,
      isHolder: !this.isDetached && !writeOnly,
      detach: async () => {
        await Promise.resolve();
        if (failsToDetach) throw new ProxyError('SPILL_FAILED', `cannot detach ${this.name}`);
        this.isDetached = true;
      },
    };
  }

  tryReserve(bytes: number): boolean {
    if (this.reserved + bytes > (this.traits.room ?? Infinity)) return false;
    this.reserved += bytes;
    return true;
  }

  release(bytes: number): void {
    this.reserved -= bytes;
  }

  isFull(): boolean {
    return this.traits.isBusy !== true;
  }
}

interface Outcome {
  /** What is reserved where, and who is detached. */
  readonly state: string;
  readonly error: string | undefined;
}

/** One request of 10 bytes for each of `measurements`. */
async function admit(
  keymaps: Readonly<Record<string, readonly string[]>>,
  traits: Readonly<Record<string, Traits>>,
  measurements: readonly string[] = Object.keys(keymaps).slice(0, 1),
): Promise<Outcome> {
  const members = Object.values(keymaps)
    .flat()
    .map((name) => [name, new FakeMember(name, traits[name] ?? {})] as const);
  const byName = new Map(members);
  const keymap = new Keymap(keymaps);
  const needs = measurements.map((measurement) => {
    const route = keymap.routeOf(measurement);
    assert.ok(route !== undefined);
    return { backends: route.backends, bytes: 10 };
  });
  const error = await new Admission(keymap.routes, byName).admit(needs).then(
    () => undefined,
    (reason: unknown) => {
      assert.ok(reason instanceof ProxyError && reason.status === 503, String(reason));
      return reason.message;
    },
  );
  const state = [...byName.values()].map(
    ({ name, reserved, isDetached }) => `${name}:${isDetached ? 'detached' : reserved}`,
  );
  return { state: state.join(' '), error };
}

const FULL: Traits = { room: 0 };

test('a backend without room is given up while another one holds the points', async () => {
  const check = async (traits: Readonly<Record<string, Traits>>, state: string) => {
    const route = { m: ['a', 'b', 'c'] };
    assert.deepEqual(await admit(route, traits), { state, error: undefined });
  };

  await check({}, 'a:10 b:10 c:10');
  await check({ a: FULL }, 'a:detached b:10 c:10');
  await check({ a: FULL, c: FULL }, 'a:detached b:10 c:detached');
  await check({ a: { isDetached: true }, b: FULL }, 'a:detached b:detached c:10');
});

test('otherwise the request is refused, nothing is reserved and nobody is given up', async () => {
  const check = async (
    traits: Readonly<Record<string, Traits>>,
    state: string,
    error = 'no room left in the spill of a',
  ) => {
    assert.deepEqual(await admit({ m: ['a', 'b'] }, traits), { state, error });
  };

  await check({ a: { ...FULL, rejects: true } }, 'a:0 b:0');
  // Only requests under way take the room, or it is live.
  await check({ a: { ...FULL, isBusy: true } }, 'a:0 b:0');
  // It would not help: the other one has no room either.
  await check({ a: FULL, b: FULL }, 'a:0 b:0');
  await check({ a: FULL, b: { ...FULL, rejects: true } }, 'a:0 b:0');

  // Nobody else has everything.
  await check({ a: FULL, b: { writeOnly: true } }, 'a:0 b:0');
  await check({ a: FULL, b: { isDetached: true } }, 'a:0 b:detached');
  await check(
    { a: { isDetached: true }, b: { isDetached: true } },
    'a:detached b:detached',
    'every server is detached: a, b',
  );

  // The disk would not.
  await check({ a: { ...FULL, failsToDetach: true } }, 'a:0 b:0', 'cannot detach a');
});

test('no route loses its last holder, be it in the request or not', async () => {
  const shared = { m: ['a', 'b'], n: ['a', 'c'] };
  const refused = 'no room left in the spill of a';
  assert.deepEqual(await admit(shared, { a: FULL }), {
    state: 'a:detached b:10 c:0',
    error: undefined,
  });
  assert.deepEqual(await admit({ ...shared, own: ['a'] }, { a: FULL }), {
    state: 'a:0 b:0 c:0',
    error: refused,
  });
  assert.deepEqual(await admit(shared, { a: FULL, c: { isDetached: true } }), {
    state: 'a:0 b:0 c:detached',
    error: refused,
  });
  // Both are full, and each would do without the other, but one of the routes has nobody else.
  assert.deepEqual(
    await admit({ m: ['a', 'b'], n: ['b', 'c'] }, { a: FULL, b: FULL }, ['m', 'n']),
    {
      state: 'a:0 b:0 c:0',
      error: refused,
    },
  );
});

test('what a request needs of one backend for several routes counts together', async () => {
  const keymaps = { m: ['a', 'b'], n: ['a', 'c'] };
  assert.deepEqual(await admit(keymaps, { a: { room: 20 } }, ['m', 'n']), {
    state: 'a:20 b:10 c:10',
    error: undefined,
  });
  assert.deepEqual(await admit(keymaps, { a: { room: 19 } }, ['m', 'n']), {
    state: 'a:detached b:10 c:10',
    error: undefined,
  });
});
