import { test } from 'node:test';
import fc from 'fast-check';
import { nameStop, numberStop, stringStop } from '../../src/lineprotocol/words.ts';

const RUNS = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) };

/** Bytes of which many are, or are next to, one that is looked for. */
const bytes = fc.uint8Array({ maxLength: 40 }).chain((any) =>
  fc
    .array(fc.constantFrom(...Buffer.from('aaaaaaaaaaaazz05999,-./:<=>[\\]!"#\n\0 '), 0x80, 0xff), {
      maxLength: 40,
    })
    .map((near) => Uint8Array.from([...near, ...any])),
);

type Stop = (view: DataView, at: number, end: number) => number;

function sameAs(stop: Stop, isStop: (byte: number) => boolean) {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 10 }), (found, from) => {
      const view = new DataView(found.buffer, found.byteOffset, found.length);
      const at = Math.min(from, found.length);
      const offset = found.slice(at).findIndex(isStop);
      return stop(view, at, found.length) === (offset < 0 ? found.length : at + offset);
    }),
    RUNS,
  );
}

test('words find the same byte as a loop over the bytes', () => {
  sameAs(nameStop, (byte) => byte < 0x2d || byte === 0x3d || byte === 0x5c);
  sameAs(stringStop, (byte) => byte === 0x22 || byte === 0x5c);
  sameAs(numberStop, (byte) => byte < 0x30 || byte > 0x39);
});
