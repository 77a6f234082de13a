import { readFileSync } from 'node:fs';
import { visitAnyLine } from './any-line.ts';
import { NEWLINE } from './bytes.ts';
import { hasDuplicateTags } from './key.ts';
import type { LineScan } from './line-scan.ts';
import type { LineVisitor } from './line-visitor.ts';
import { MAX_TIMESTAMP } from './timestamp.ts';

/** What wasm/plain-lines.ts exports; it tells what is where in the memory. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly TEXT_BYTES: { readonly value: number };
  readonly LINES: { readonly value: number };
  readonly LINE_BYTES: { readonly value: number };
  index(length: number): void;
  scan(from: number, timeDigits: number, timeHead: number): number;
}

/** Node's types leave out what is part of no ECMAScript. */
declare const WebAssembly: {
  readonly validate: (code: Buffer) => boolean;
  readonly Module: new (code: Buffer) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const CODE = new URL('./plain-lines.wasm', import.meta.url);

const WORD_BYTES = 4;

/**
 * The fast path: finds plain lines, piece by piece of a body. Plain are nearly all lines of real clients: valid, no odd
 * blanks, no backslash but in tag values. It never takes a line that the general path refuses or reads otherwise. The pieces
 * are copied into a memory of its own, half a megabyte.
 */
export class PlainLines {
  readonly #code: Exports;
  readonly #text: Buffer;
  readonly #lines: Int32Array;
  readonly #textBytes: number;
  /** Words from one line to the next. */
  readonly #stride: number;
  // The piece is of the body, from here on.
  #base = 0;

  private constructor(code: Buffer) {
    const module = new WebAssembly.Module(code);
    this.#code = new WebAssembly.Instance(module).exports as Exports;
    const { memory, TEXT_BYTES, LINES, LINE_BYTES } = this.#code;
    this.#text = Buffer.from(memory.buffer);
    this.#lines = new Int32Array(memory.buffer, LINES.value);
    this.#textBytes = TEXT_BYTES.value;
    this.#stride = LINE_BYTES.value / WORD_BYTES;
  }

  /** Undefined on a processor without the instructions that it needs: on x86-64, SSE4.1. */
  static open(): PlainLines | undefined {
    const code = readFileSync(CODE);
    return WebAssembly.validate(code) ? new PlainLines(code) : undefined;
  }

  /** Takes up the piece of the body in which a line begins at `from`; returns where it ends, perhaps within a line. */
  load(body: Buffer, from: number): number {
    const until = Math.min(from + this.#textBytes, body.length);
    let length = body.copy(this.#text, 0, from, until);
    // The end of the body ends a line, too.
    if (until === body.length) this.#text[length++] = NEWLINE;
    this.#code.index(length);
    this.#base = from;
    return until;
  }

  /**
   * Shows the visitor the plain lines that follow one another from `from` on, in the piece that was loaded of scan.body, a
   * line's begin behind all that was read of it; returns where the first line begins that is not plain, or not whole.
   */
  visit(scan: LineScan, from: number, visitor: LineVisitor): number {
    const base = this.#base;
    const limit = MAX_TIMESTAMP[scan.precision];
    const count = this.#code.scan(from - base, limit.length, limit[0] as number);
    const lines = this.#lines;
    let at = from;
    for (let index = 0; index < count * this.#stride; index += this.#stride) {
      const measurementEnd = base + (lines[index] as number);
      const end = base + (lines[index + 1] as number);
      const unsortedTags = lines[index + 3] as number;
      if (unsortedTags > 0 && hasDuplicateTags(scan.body, measurementEnd, unsortedTags)) {
        visitAnyLine(scan, at, visitor);
      } else {
        visitor.point(at, measurementEnd, end, lines[index + 2] === 1);
      }
      at = end + 1;
    }
    return at;
  }
}
