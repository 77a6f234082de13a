/** What is in all of them, one behind the other: a copy, unless there is only one. */
export function joined(buffers: readonly Buffer[]): Buffer {
  const [only] = buffers;
  return only !== undefined && buffers.length === 1 ? only : Buffer.concat(buffers);
}
