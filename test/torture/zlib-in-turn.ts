import { syncBuiltinESMExports } from 'node:module';
import zlib, { type ZlibOptions } from 'node:zlib';

// node:zlib compresses in a thread pool, which finishes when it likes. From here on it does so at once, and calls back when
// the simulation likes, so that a schedule depends on its seed alone. To be imported before whatever imports node:zlib.

type Callback = (error: Error | null, result?: Buffer) => void;

let calls = 0;
let later: (run: () => void) => void = queueMicrotask;

/** Decides when callbacks are called. */
export function callBackBy(schedule: (run: () => void) => void): void {
  later = schedule;
}

/** How often something was compressed or inflated; zero means that this module was imported too late. */
export function zlibCalls(): number {
  return calls;
}

function inTurn(run: (input: Buffer, options?: ZlibOptions) => Buffer) {
  return (input: Buffer, given: ZlibOptions | Callback, callback?: Callback): void => {
    calls += 1;
    const [options, done] = typeof given === 'function' ? [undefined, given] : [given, callback];
    try {
      const result = run(input, options);
      later(() => done?.(null, result));
    } catch (error) {
      later(() => done?.(error as Error));
    }
  };
}

Object.assign(zlib, { gzip: inTurn(zlib.gzipSync), gunzip: inTurn(zlib.gunzipSync) });
syncBuiltinESMExports();
