import { promisify } from 'node:util';
import { gzip, gzipSync, type ZlibOptions } from 'node:zlib';

const compress = promisify(gzip);

export interface CompressorOptions {
  /** Of zlib, 1 to 9. */
  readonly level: number;
  /**
   * Up to so many bytes are compressed at once, in a quarter of a millisecond at level 1: the way through the thread pool
   * takes a quarter of that time for any body, for ten lines five times as much as compressing them.
   */
  readonly inlineBytes?: number;
}

const INLINE_BYTES = 64 * 1024;

/** Of libuv's four threads; what is acknowledged from disk waits for an fdatasync on one of them. */
const MAX_JOBS = 3;

/** Lines usually become four or five times shorter; what does not fit costs one more turn through the thread pool. */
const LEAST_RATIO = 3;

/** Compresses what goes to backends and spills, a few bodies at a time, whatever is asked for at once. */
export class Compressor {
  readonly #level: number;
  readonly #inlineBytes: number;
  #jobs = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ level, inlineBytes = INLINE_BYTES }: CompressorOptions) {
    this.#level = level;
    this.#inlineBytes = inlineBytes;
  }

  /** One gzip member. */
  async gzip(bytes: Buffer): Promise<Buffer> {
    if (bytes.length <= this.#inlineBytes) return gzipSync(bytes, this.#options(1, bytes));
    if (this.#jobs === MAX_JOBS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#jobs += 1;
    try {
      return await compress(bytes, this.#options(LEAST_RATIO, bytes));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#jobs -= 1;
      else next();
    }
  }

  #options(ratio: number, { length }: Buffer): ZlibOptions {
    return { level: this.#level, chunkSize: Math.ceil(length / ratio) + MEMBER_BYTES };
  }
}

/** More than the header, the trailer and what zlib adds to bytes that do not compress; not below zlib's least chunk. */
const MEMBER_BYTES = 64;
