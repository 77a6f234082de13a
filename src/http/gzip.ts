import { type Gunzip, gunzipSync } from 'node:zlib';

// A gzip member (RFC 1952) is a header, deflated data and a trailer:
//
//    0       2    3     4                 10            -8      -4       0
//   | 1f 8b | CM | FLG | mtime, XFL, OS  | data ...    | crc32 | ISIZE |
//
// FLG: which optional parts follow the header at 10. ISIZE: inflated bytes modulo 2^32, little-endian.

const FLAGS_AT = 3;
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const SIZE_BYTES = 4;

/** How many bytes the last member says that it holds; 0 for what is too short to be one. */
export function claimedBytes(bytes: Buffer): number {
  const isShort = bytes.length < HEADER_BYTES + TRAILER_BYTES;
  return isShort ? 0 : bytes.readUInt32LE(bytes.length - SIZE_BYTES);
}

/** How every member begins. */
const MEMBER_START = Buffer.from([0x1f, 0x8b, 0x08]);

/**
 * Whether bytes that zlib inflated to the last one are a single member without optional parts, which every server reads
 * alike: influxd, for one, takes no file name longer than 511 bytes. False also when data merely looks like one more member,
 * one time in 17 million for each byte.
 */
export function isPlainMember(bytes: Buffer, inflatedBytes: number): boolean {
  if (bytes[FLAGS_AT] !== 0 || claimedBytes(bytes) !== inflatedBytes) return false;
  return bytes.indexOf(MEMBER_START, HEADER_BYTES) === -1;
}

/** Inflated in less than half of a millisecond; the way through the thread pool takes a third of that in CPU time for any body. */
const SMALL_BYTES = 256 * 1024;

/** zlib's least. */
const MIN_CHUNK_BYTES = 64;

/**
 * Inflates at once what is small, and all that it claims to be; undefined for anything else, be it large or broken, which
 * zlib's stream is to judge.
 */
export function inflateSmall(bytes: Buffer): Buffer | undefined {
  const claimed = claimedBytes(bytes);
  if (claimed === 0 || claimed > SMALL_BYTES || bytes.length > SMALL_BYTES) return undefined;
  // One more than needed: a chunk that is full makes zlib ask for another one.
  const chunkSize = Math.max(claimed + 1, MIN_CHUNK_BYTES);
  try {
    const inflated: unknown = gunzipSync(bytes, {
      chunkSize,
      maxOutputLength: claimed,
      info: true,
    });
    const { buffer, engine } = inflated as { buffer: Buffer; engine: Gunzip };
    return engine.bytesWritten === bytes.length ? buffer : undefined;
  } catch {
    return undefined;
  }
}
