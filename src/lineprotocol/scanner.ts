import { visitAnyLine } from './any-line.ts';
import { NEWLINE } from './bytes.ts';
import { LineScan } from './line-scan.ts';
import type { LineVisitor } from './line-visitor.ts';
import { PlainLines } from './plain-lines.ts';
import type { Precision } from './precision.ts';

/**
 * Splits a write's body into lines and judges each one exactly as InfluxDB 1.x does, in time linear in the body. A line that
 * some version of InfluxDB takes is valid, the backend judges.
 */
export function scanLines(body: Buffer, precision: Precision, visitor: LineVisitor): void {
  const scan = new LineScan(body, precision);
  for (let at = 0; at < body.length;) at = visitAnyLine(scan, at, visitor);
}

/** Does as scanLines, but several times as fast. One is enough for a program: it keeps nothing of a body. */
export class LineScanner {
  readonly #plain = new PlainLines();

  /** Yields after each piece of some 64 KB where the next line begins, or beyond the body; others may scan meanwhile. */
  *scan(body: Buffer, precision: Precision, visitor: LineVisitor): IterableIterator<number> {
    const scan = new LineScan(body, precision);
    for (let at = 0; at < body.length;) {
      at = this.#scanPiece(scan, at, visitor);
      yield at;
    }
  }

  #scanPiece(scan: LineScan, from: number, visitor: LineVisitor): number {
    const { body } = scan;
    const until = this.#plain.load(body, from);
    let at = from;
    while (at < until) {
      at = this.#plain.visit(scan, at, visitor);
      if (at >= until) break;
      const newline = body.indexOf(NEWLINE, at);
      const isCut = newline === -1 ? until < body.length : newline >= until;
      // The next piece will hold all of it.
      if (isCut && at > from) break;
      at = visitAnyLine(scan, at, visitor);
    }
    return at;
  }
}
