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

/**
 * Whether bytes that zlib inflated to the last one are a single member without optional parts, which every server reads
 * alike: influxd, for one, takes no file name longer than 511 bytes.
 */
export function isPlainMember(bytes: Buffer, inflatedBytes: number): boolean {
  return bytes[FLAGS_AT] === 0 && claimedBytes(bytes) === inflatedBytes;
}
