import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { Signal } from '../../src/core/signal.ts';
import { readOrder, type Replica } from '../../src/query/replica.ts';

interface Traits {
  readonly name?: string;
  readonly zone?: string;
  readonly writeOnly?: boolean;
  readonly isDetached?: boolean;
  readonly health?: 'up' | 'unknown' | 'down';
  readonly backlogBytes?: number;
  readonly busy?: number;
}

const busyOf = new WeakMap<Replica, number>();

function replica(traits: Traits): Replica {
  const { health = 'up', backlogBytes = 0 } = traits;
  const made: Replica = {
    name: traits.name ?? '',
    zone: traits.zone ?? '',
    db: 'db',
    writeOnly: traits.writeOnly ?? false,
    isDetached: traits.isDetached ?? false,
    timeoutQuery: 1000,
    isComplete: backlogBytes === 0,
    isUp: health === 'up',
    downSignal: new Signal(),
    backlogBytes,
    query: () => {
      throw new Error('only its order matters');
    },
  };
  if (health === 'down') made.downSignal.abort();
  busyOf.set(made, traits.busy ?? 0);
  return made;
}

function orderOf(replicas: readonly Replica[], zone = 'own'): readonly Replica[] {
  return readOrder(replicas, zone, (one) => busyOf.get(one) ?? 0);
}

test('replicas are asked in the order of what they hold, where they are and what they do', () => {
  const check = (expected: string, ...all: readonly Traits[]): void => {
    const replicas = all.map(replica);
    const names = (order: readonly Replica[]): string => order.map(({ name }) => name).join(' ');
    assert.equal(names(orderOf(replicas)), expected);
    // A tie keeps the order of the keymap, so only what differs may move.
    if (expected.split(' ').length > 1)
      assert.equal(names(orderOf(replicas.toReversed())), expected);
  };

  check('', { name: 'a', writeOnly: true });
  check('a', { name: 'b', writeOnly: true, zone: 'own' }, { name: 'a', zone: 'far' });

  check('', { name: 'a', isDetached: true });
  check('a', { name: 'b', isDetached: true, zone: 'own' }, { name: 'a', backlogBytes: 9 });
  check('a', { name: 'b', isDetached: true, health: 'up' }, { name: 'a', health: 'down' });

  // Complete before catching up, in any zone.
  check('a b', { name: 'a', zone: 'far' }, { name: 'b', zone: 'own', backlogBytes: 1 });

  // Among complete ones the own zone, then the least busy.
  check('a b', { name: 'a', zone: 'own', busy: 9 }, { name: 'b', zone: 'far' });
  check('a b', { name: 'a', busy: 1 }, { name: 'b', busy: 2 });

  // Among those that catch up the own zone, then the smallest backlog, however busy.
  check('a b', { name: 'a', backlogBytes: 1, busy: 9 }, { name: 'b', backlogBytes: 2 });
  check(
    'a b',
    { name: 'a', zone: 'own', backlogBytes: 9 },
    { name: 'b', zone: 'far', backlogBytes: 1 },
  );

  // What is down comes last, even if it is complete.
  check(
    'a b',
    { name: 'a', backlogBytes: 1, zone: 'far' },
    { name: 'b', health: 'down', zone: 'own' },
  );
});

test('a complete replica that was not probed yet is asked before one with holes', () => {
  const unknown = replica({ health: 'unknown', zone: 'far' });
  const holes = replica({ health: 'up', zone: 'own', backlogBytes: 1 });
  assert.deepEqual(orderOf([holes, unknown]), [unknown, holes]);
  const known = replica({ health: 'up', zone: 'far' });
  assert.deepEqual(orderOf([unknown, holes, known]), [known, unknown, holes]);
});

test('no order ever shows a hole that could be avoided, nor a replica that is only written to or detached', () => {
  const traits = fc.record({
    zone: fc.constantFrom('own', 'far', ''),
    writeOnly: fc.boolean(),
    isDetached: fc.boolean(),
    health: fc.constantFrom('up' as const, 'unknown' as const, 'down' as const),
    backlogBytes: fc.nat({ max: 3 }),
    busy: fc.nat({ max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(traits, { maxLength: 6 }), (all) => {
      const replicas = all.map(replica);
      const order = orderOf(replicas);
      const readable = replicas.filter(({ writeOnly, isDetached }) => !writeOnly && !isDetached);
      assert.deepEqual(new Set(order), new Set(readable));
      assert.equal(order.length, readable.length);
      const [first] = order;
      if (first === undefined) return;
      const others = readable.filter(({ downSignal }) => !downSignal.aborted);
      const complete = others.filter(({ isComplete }) => isComplete);
      if (others.length > 0) assert.equal(first.downSignal.aborted, false);
      if (complete.length > 0) assert.equal(first.isComplete, true);
      if (complete.some(({ zone, isUp }) => zone === 'own' && isUp))
        assert.equal(first.zone, 'own');
    }),
  );
});
