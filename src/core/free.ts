import { MessageChannel } from 'node:worker_threads';

/** Memory that is moved to a closed port is nobody's. Node 20 has no other way (`ArrayBuffer.transfer` came with 21). */
const nowhere = (() => {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
})();

/**
 * Gives back the memory of buffers now, not at the next garbage collection; they are empty afterwards. Only for buffers that
 * nobody reads any more, native code (a socket, zlib) least of all. Those that share their memory with others are left alone.
 */
export function freeNow(buffers: readonly Buffer[]): void {
  const whole = buffers.filter(({ buffer, length }) => buffer.byteLength === length);
  nowhere.postMessage(
    undefined,
    whole.map(({ buffer }) => buffer as ArrayBuffer),
  );
}
