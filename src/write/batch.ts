import { joined } from '../core/buffers.ts';
import type { Compressor } from './compressor.ts';

/** Lines of one request that share one route: what a verdict is given on. */
export interface Part {
  /** Whole lines, each ended by a newline. */
  readonly payload: Buffer;
  readonly points: number;
  /** The payload as gzip members with nothing behind them, if there are some or soon will be. */
  readonly gzipped?: Promise<Buffer> | undefined;
  /** When the body of the request had been read, in clock milliseconds. */
  readonly arrivedAt: number;
  /** Room for it that is kept free in the spill of each backend of the route. */
  readonly reservedBytes: number;
}

/** What may share one request to a backend. */
export interface WriteTarget {
  readonly routeId: number;
  readonly rp: string;
  readonly precision: string;
  /** Set for points that share no request with others: the client that they come from. */
  readonly suspect?: string | undefined;
}

/**
 * Bytes of lines in a part, a batch, a request; one longer line goes alone. What goes to a spill in one piece is sent from there
 * in one piece: it must not take a slow server longer than a request may take, or nothing would ever get past it.
 */
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** Parts that go to every backend of a route together, compressed once. */
export class Batch {
  readonly target: WriteTarget;
  readonly parts: readonly Part[];
  readonly points: number;
  /** Bytes of the lines, before compression. */
  readonly bytes: number;
  /** The age of its oldest part decides how long a backend may take. */
  readonly arrivedAt: number;
  readonly reservedBytes: number;
  readonly #compressor: Compressor;
  #gzipped: Promise<Buffer> | undefined;

  constructor(target: WriteTarget, parts: readonly Part[], compressor: Compressor) {
    this.target = target;
    this.parts = parts;
    this.points = parts.reduce((sum, part) => sum + part.points, 0);
    this.bytes = parts.reduce((sum, part) => sum + part.payload.length, 0);
    this.arrivedAt = Math.min(...parts.map((part) => part.arrivedAt));
    this.reservedBytes = parts.reduce((sum, part) => sum + part.reservedBytes, 0);
    this.#compressor = compressor;
  }

  plain(): Buffer {
    return joinParts(this.parts);
  }

  /** Gzip members of whole lines, so that those of several batches can be joined. */
  gzipped(): Promise<Buffer> {
    this.#gzipped ??= this.#gzip();
    return this.#gzipped;
  }

  /** Parts that have no members yet get one for those that follow one another. */
  async #gzip(): Promise<Buffer> {
    const members: Promise<Buffer>[] = [];
    let plain: Part[] = [];
    const compressPlain = (): void => {
      if (plain.length > 0) members.push(this.#compressor.gzip(joinParts(plain)));
      plain = [];
    };
    for (const part of this.parts) {
      if (part.gzipped === undefined) plain.push(part);
      else {
        compressPlain();
        members.push(part.gzipped);
      }
    }
    compressPlain();
    return joined(await Promise.all(members));
  }
}

/** Their lines, one part's behind the other's. */
export function joinParts(parts: readonly Part[]): Buffer {
  return joined(parts.map(({ payload }) => payload));
}

/**
 * Batches of targets with equal keys go to a backend one after the other. Precision has no part in it: two precisions can
 * name the same point, and which write of it is the last must be the same on every replica.
 */
export function orderKey({ routeId, rp }: WriteTarget): string {
  return `${routeId} ${rp}`;
}

/** Parts of targets with equal keys may share a batch, and such batches a request. */
export function shareKey(target: WriteTarget): string {
  return `${target.suspect ?? ''} ${target.precision} ${orderKey(target)}`;
}
