const undos = new Set<() => void>();
// What the runner sends to a test file that ran out of time, and what a terminal sends.
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls `undo` when this process ends before the returned function was called: nothing that a test started
 * outlives it, however it ends (SIGKILL excepted). `undo` must be synchronous.
 */
export function onProcessEnd(undo: () => void): () => void {
  if (undos.size === 0) listen();
  undos.add(undo);
  return () => {
    undos.delete(undo);
    if (undos.size === 0) unlisten();
  };
}

function listen(): void {
  process.on('exit', undoAll);
  for (const signal of SIGNALS) process.on(signal, dieOf);
}

function unlisten(): void {
  process.off('exit', undoAll);
  for (const signal of SIGNALS) process.off(signal, dieOf);
}

function undoAll(): void {
  // Newest first: a child process dies before its folder goes.
  for (const undo of [...undos].toReversed()) undo();
  undos.clear();
}

function dieOf(signal: NodeJS.Signals): void {
  // A program with its own handler (the demo) decides itself when to end; 'exit' then does the rest.
  if (process.listenerCount(signal) > 1) return;
  undoAll();
  unlisten();
  process.kill(process.pid, signal);
}
