import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inflateSmall, isPlainMember } from '../../src/http/gzip.ts';

const LINES = 'm v=1 1\n'.repeat(100);
const MEMBER = gzipSync(LINES);

test('a small member is inflated at once, all else is left to the stream', () => {
  const check = (bytes: Buffer, text: string | undefined): void => {
    assert.equal(inflateSmall(bytes)?.toString(), text);
  };
  check(MEMBER, LINES);
  check(gzipSync('m'), 'm');
  check(gzipSync('m'.repeat(63)), 'm'.repeat(63));
  check(gzipSync('m'.repeat(262_144)), 'm'.repeat(262_144));
  check(Buffer.concat([gzipSync(''), MEMBER]), LINES);

  // Large, or more than it claims
  check(gzipSync('m'.repeat(262_145)), undefined);
  check(Buffer.concat([gzipSync('m'.repeat(300_000)), gzipSync('m'.repeat(10))]), undefined);
  check(Buffer.concat([MEMBER, MEMBER]), undefined);

  // Nothing or broken
  check(Buffer.alloc(0), undefined);
  check(gzipSync(''), undefined);
  check(Buffer.from(LINES), undefined);
  check(Buffer.concat([MEMBER, Buffer.alloc(1)]), undefined);
  check(Buffer.concat([MEMBER.subarray(0, -8), Buffer.alloc(4), MEMBER.subarray(-4)]), undefined);
  for (let length = 0; length < MEMBER.length; length++) {
    check(MEMBER.subarray(0, length), undefined);
  }
});

test('a plain member has no optional parts and is the only one', () => {
  assert.ok(isPlainMember(MEMBER, LINES.length));
  assert.ok(!isPlainMember(Buffer.concat([MEMBER, MEMBER]), 2 * LINES.length));
  // The sizes agree, whichever of two members is empty.
  assert.ok(!isPlainMember(Buffer.concat([gzipSync(''), MEMBER]), LINES.length));
  assert.ok(!isPlainMember(Buffer.concat([MEMBER, gzipSync('')]), LINES.length));
  const flagged = Buffer.from(MEMBER);
  flagged.writeUInt8(0x08, 3);
  assert.ok(!isPlainMember(flagged, LINES.length));
});
