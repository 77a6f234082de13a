import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { drain, openSpill } from './harness.ts';
import { tempDir } from '../support/temp-dir.ts';

const WRITER = path.join(import.meta.dirname, 'spill-writer.js');

test('kill -9 loses no append that has resolved', async (t) => {
  const directory = await tempDir(t);
  for (const enough of [1, 50, 300, 1000]) {
    const child = spawn(process.execPath, [WRITER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.split('\n').length > enough) child.kill('SIGKILL');
    });
    await once(child, 'close');

    const spill = await openSpill({ directory, maxBytes: 1e9 });
    const found = new Set((await drain(spill, 10_000)).map((record) => record.sequence));
    // The last line may have been cut by the kill.
    const resolved = printed.split('\n').slice(0, -1).map(Number);
    assert.ok(resolved.length >= enough);
    assert.deepEqual(
      resolved.filter((sequence) => !found.has(sequence)),
      [],
    );
    assert.equal(spill.damaged, 0);
    await spill.close();
  }
});
