import { crc32 } from 'node:zlib';

// A record is a header and a payload. The header, big-endian:
//
//    0        4      6    7    8           16       20        24        28    30    32    34     h-4      h
//   | magic  | h    | v  | k  | sequence  | points | payload | payload | db  | rp  | pre | the  | header |
//   | 4 bytes| u16  | u8 | u8 | u64       | u32    | length  | crc32   | u16 | u16 | u16 | names| crc32  |
//
// h: bytes of the header with its checksum. v: VERSION. k: index in KINDS. points: how many the payload holds.
// db, rp, pre(cision): bytes of the three names, which stand one behind the other in UTF-8. The payload follows
// at h.
//
// The header's checksum starts from the segment's salt instead of zero. After damage, reading resumes at the next
// bytes that look like a header; the salt, which no client can know, keeps a payload that was made to look like a
// record from becoming one, and old blocks of a deleted file from coming back to life.

export const VERSION = 1;
const KINDS = ['batch', 'statement'] as const;
export type RecordKind = (typeof KINDS)[number];

/** 0xf5 and 0xfa never occur in UTF-8 text, so that plain line protocol does not slow a search down. */
export const MAGIC = Buffer.from([0xf5, 0x53, 0x50, 0xfa]);
const NAMES_AT = 34;
const CHECKSUM_BYTES = 4;
/** A header whose three names are empty. */
export const MIN_HEADER_BYTES = NAMES_AT + CHECKSUM_BYTES;
/** Of each name. Far more than any comes with: the longest that a client chooses, a retention policy's, has at most 1024. */
export const MAX_NAME_BYTES = 16 * 1024;
export const MAX_HEADER_BYTES = MIN_HEADER_BYTES + 3 * MAX_NAME_BYTES;
/** Ten times the largest body that is accepted by default. A payload is read in one piece. */
export const MAX_PAYLOAD_BYTES = 1024 ** 3;
export const MAX_POINTS = 0xffff_ffff;

/** What a record says about its payload. */
export interface RecordFields {
  readonly kind: RecordKind;
  readonly points: number;
  readonly db: string;
  readonly rp: string;
  readonly precision: string;
}

export interface RecordHeader extends RecordFields {
  readonly sequence: number;
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
}

export interface DecodedHeader extends RecordHeader {
  /** Where the payload begins, counted from the header's first byte. */
  readonly headerBytes: number;
}

export function headerBytesOf(fields: RecordFields): number {
  return MIN_HEADER_BYTES + namesOf(fields).reduce((sum, name) => sum + Buffer.byteLength(name), 0);
}

/** Why a record with these fields and this payload cannot be stored, or undefined when it can. */
export function recordProblem(fields: RecordFields, payloadBytes: number): string | undefined {
  if (namesOf(fields).some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES))
    return `a name is longer than ${MAX_NAME_BYTES} bytes`;
  if (payloadBytes > MAX_PAYLOAD_BYTES)
    return `the payload has more than ${MAX_PAYLOAD_BYTES} bytes`;
  if (fields.points > MAX_POINTS) return `there are more than ${MAX_POINTS} points`;
  return undefined;
}

export function encodeHeader(header: RecordHeader, salt: number): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytesOf(header));
  MAGIC.copy(bytes, 0);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.writeUInt8(VERSION, 6);
  bytes.writeUInt8(KINDS.indexOf(header.kind), 7);
  bytes.writeBigUInt64BE(BigInt(header.sequence), 8);
  bytes.writeUInt32BE(header.points, 16);
  bytes.writeUInt32BE(header.payloadBytes, 20);
  bytes.writeUInt32BE(header.payloadChecksum, 24);
  let at = NAMES_AT;
  namesOf(header).forEach((name, index) => {
    const length = bytes.write(name, at);
    bytes.writeUInt16BE(length, 28 + 2 * index);
    at += length;
  });
  bytes.writeUInt32BE(crc32(bytes.subarray(0, at), salt), at);
  return bytes;
}

/** The header at `at`. `cut`: it may be one, but `bytes` ends before it does. `undefined`: it is none. */
export function decodeHeader(
  bytes: Buffer,
  at: number,
  salt: number,
): DecodedHeader | 'cut' | undefined {
  const magic = bytes.subarray(at, at + MAGIC.length);
  if (!magic.equals(MAGIC.subarray(0, magic.length))) return undefined;
  if (bytes.length - at < MIN_HEADER_BYTES) return 'cut';
  const headerBytes = bytes.readUInt16BE(at + 4);
  // Else a damaged length at the end of a file would look like a header that was only half written.
  const nameBytes = [28, 30, 32].map((field) => bytes.readUInt16BE(at + field));
  if (headerBytes !== nameBytes.reduce((sum, length) => sum + length, MIN_HEADER_BYTES))
    return undefined;
  if (bytes.length - at < headerBytes) return 'cut';
  const header = bytes.subarray(at, at + headerBytes);
  const checksumAt = headerBytes - CHECKSUM_BYTES;
  if (crc32(header.subarray(0, checksumAt), salt) !== header.readUInt32BE(checksumAt))
    return undefined;
  return headerFields(header, checksumAt);
}

/** The checksum holds, so what is wrong here was written by another version or by someone else. */
function headerFields(header: Buffer, namesEnd: number): DecodedHeader | undefined {
  const kind = KINDS[header.readUInt8(7)];
  const sequence = Number(header.readBigUInt64BE(8));
  const payloadBytes = header.readUInt32BE(20);
  const dbEnd = NAMES_AT + header.readUInt16BE(28);
  const rpEnd = dbEnd + header.readUInt16BE(30);
  if (header.readUInt8(6) !== VERSION || kind === undefined) return undefined;
  if (!Number.isSafeInteger(sequence) || payloadBytes > MAX_PAYLOAD_BYTES) return undefined;
  if (rpEnd + header.readUInt16BE(32) !== namesEnd) return undefined;
  return {
    kind,
    sequence,
    points: header.readUInt32BE(16),
    payloadBytes,
    payloadChecksum: header.readUInt32BE(24),
    db: header.toString('utf8', NAMES_AT, dbEnd),
    rp: header.toString('utf8', dbEnd, rpEnd),
    precision: header.toString('utf8', rpEnd, namesEnd),
    headerBytes: header.length,
  };
}

/** One checksum over all parts, as if they were one buffer. */
export function checksumOf(parts: readonly Buffer[]): number {
  return parts.reduce((checksum, part) => crc32(part, checksum), 0);
}

function namesOf(fields: RecordFields): readonly [string, string, string] {
  return [fields.db, fields.rp, fields.precision];
}
