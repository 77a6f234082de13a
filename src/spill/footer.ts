import { crc32 } from 'node:zlib';
import type { Totals } from './totals.ts';

// A segment that is complete ends in a footer, so that opening a large spill reads some bytes of each segment
// instead of every header in it. Big-endian:
//
//    0        4     5        8            16        24       32       40      44
//   | magic  | v   | zeros  | last       | records | points | payload | crc32 |
//   | 4 bytes| u8  |        | sequence   | u64     | u64    | bytes   |       |
//
// The checksum starts from the segment's salt. Without a valid footer the headers are walked instead.

export const FOOTER_BYTES = 44;
export const FOOTER_MAGIC = Buffer.from([0xf5, 0x53, 0x45, 0xfa]);
const VERSION = 1;

export interface Footer extends Totals {
  readonly lastSequence: number;
}

export function encodeFooter(footer: Footer, salt: number): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES);
  FOOTER_MAGIC.copy(bytes, 0);
  bytes.writeUInt8(VERSION, 4);
  bytes.writeBigUInt64BE(BigInt(footer.lastSequence), 8);
  bytes.writeBigUInt64BE(BigInt(footer.records), 16);
  bytes.writeBigUInt64BE(BigInt(footer.points), 24);
  bytes.writeBigUInt64BE(BigInt(footer.bytes), 32);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, FOOTER_BYTES - 4), salt), FOOTER_BYTES - 4);
  return bytes;
}

export function decodeFooter(bytes: Buffer, salt: number): Footer | undefined {
  if (bytes.length !== FOOTER_BYTES) return undefined;
  const checksum = crc32(bytes.subarray(0, FOOTER_BYTES - 4), salt);
  if (checksum !== bytes.readUInt32BE(FOOTER_BYTES - 4)) return undefined;
  if (!bytes.subarray(0, FOOTER_MAGIC.length).equals(FOOTER_MAGIC)) return undefined;
  if (bytes.readUInt8(4) !== VERSION) return undefined;
  return {
    lastSequence: Number(bytes.readBigUInt64BE(8)),
    records: Number(bytes.readBigUInt64BE(16)),
    points: Number(bytes.readBigUInt64BE(24)),
    bytes: Number(bytes.readBigUInt64BE(32)),
  };
}
