import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cursor, decodeCursor, encodeCursor } from '../../src/spill/cursor.ts';
import { decodeFooter, encodeFooter } from '../../src/spill/footer.ts';
import {
  decodeHeader,
  encodeHeader,
  headerBytesOf,
  MAX_PAYLOAD_BYTES,
  MAX_POINTS,
  type RecordHeader,
} from '../../src/spill/record.ts';
import { segmentName } from '../../src/spill/segment.ts';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300);

const count = fc.nat(Number.MAX_SAFE_INTEGER);
const u32 = fc.nat(0xffff_ffff);
const name = fc.string({ unit: 'grapheme', maxLength: 40 });
const header: fc.Arbitrary<RecordHeader> = fc.record({
  kind: fc.constantFrom('batch' as const, 'statement' as const),
  sequence: count,
  points: fc.nat(MAX_POINTS),
  payloadBytes: fc.nat(MAX_PAYLOAD_BYTES),
  payloadChecksum: u32,
  db: name,
  rp: name,
  precision: name,
});
const plain = { noNullPrototype: true };
const totals = { records: count, points: count, bytes: count };

test('a header is read as it was written, wherever it stands', () => {
  fc.assert(
    fc.property(header, u32, fc.uint8Array({ maxLength: 50 }), (written, salt, before) => {
      const bytes = Buffer.concat([before, encodeHeader(written, salt), Buffer.from('payload')]);
      const headerBytes = headerBytesOf(written);
      assert.deepEqual(decodeHeader(bytes, before.length, salt), { ...written, headerBytes });
    }),
    { numRuns },
  );
});

test('a header that is cut anywhere is cut, one with any bit flipped is none', () => {
  fc.assert(
    fc.property(header, u32, (written, salt) => {
      const bytes = encodeHeader(written, salt);
      for (let length = 0; length < bytes.length; length++)
        assert.equal(decodeHeader(bytes.subarray(0, length), 0, salt), 'cut');
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const read = decodeHeader(flipped, 0, salt);
        assert.ok(read === undefined || read === 'cut', `bit ${bit}`);
      }
      assert.equal(decodeHeader(bytes, 0, (salt ^ 1) >>> 0), undefined);
    }),
    { numRuns: Math.ceil(numRuns / 10) },
  );
});

test('a footer and a cursor are read as written, and not at all when any bit is flipped', () => {
  const cursor: fc.Arbitrary<Cursor> = fc.record(
    {
      sequence: count,
      segment: fc.tuple(count, u32).map(([first, salt]) => segmentName(first, salt)),
      offset: count,
      delivered: fc.record(totals, plain),
    },
    plain,
  );
  fc.assert(
    fc.property(cursor, fc.record({ ...totals, lastSequence: count }, plain), (moved, footer) => {
      const codecs = [
        { bytes: encodeCursor(moved), value: moved, decode: decodeCursor },
        {
          bytes: encodeFooter(footer, moved.offset & 0xff),
          value: footer,
          decode: (bytes: Buffer) => decodeFooter(bytes, moved.offset & 0xff),
        },
      ];
      for (const { bytes, value, decode } of codecs) {
        assert.deepEqual(decode(bytes), value);
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes);
          flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
          assert.equal(decode(flipped), undefined, `bit ${bit}`);
        }
      }
    }),
    { numRuns: Math.ceil(numRuns / 10) },
  );
});
