import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { CleanupStack } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { HttpServer, started } from '../support/http-server.ts';
import { startProxy } from '../support/proxy.ts';
import { ask } from './query-client.ts';

// Answers pass through as they come, no faster than the client reads, and stop when it goes.

const cleanup = new CleanupStack();
after(() => cleanup.run());

const CHUNK = Buffer.alloc(64 * 1024, '[1,2,3],');
const CHUNKS = 1600; // 100 MiB: more than the buffers of all sockets on the way

/** What the server is to do with a query, and what it has seen. */
let answering: (response: ServerResponse) => void = () => undefined;
let open = 0;
let written = 0;

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/ping') {
    response.writeHead(204).end();
    return;
  }
  open++;
  response.once('close', () => open--);
  request.resume().once('end', () => {
    answering(response);
  });
}

function writeAll(response: ServerResponse, chunks = CHUNKS): void {
  const next = (): void => {
    for (;;) {
      if (written === chunks * CHUNK.length) {
        response.end();
        return;
      }
      written += CHUNK.length;
      if (!response.write(CHUNK)) break;
    }
    response.once('drain', next);
  };
  written = 0;
  next();
}

const { url } = await started(cleanup, new HttpServer(serve));
const proxy = await startProxy(cleanup, {
  backends: { a: { url, db: 'db' } },
  keymaps: { _default_: ['a'] },
});
await proxy.waitFor(({ backends }) => backends['a']?.up === true);

function residentMegabytes(): number {
  const status = readFileSync(`/proc/${proxy.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** The answer to a query, of which nobody has read a byte yet. */
async function openAnswer(): Promise<IncomingMessage> {
  const q = encodeURIComponent('SELECT * FROM m');
  const request = get(`${proxy.url}/query?db=db&q=${q}`, { agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return answer;
}

test('an answer of 100 MB to a slow client passes through little memory', async () => {
  // What the first query takes is code, and room for what is young: V8 of Node 24 takes 20 MB of it at once.
  answering = (response) => {
    writeAll(response, CHUNKS / 10);
  };
  (await openAnswer()).resume();
  await eventually('the end of the first answer', () => open === 0);
  answering = writeAll;
  const before = residentMegabytes();
  const grown = (): number => residentMegabytes() - before;
  // In the first long answer V8 compiles undici's parser (WebAssembly) for speed, beside it: 25 MB, until that is done.
  await once((await openAnswer()).resume(), 'end');
  await eventually('the memory of the compiler given back', () => grown() < 20);
  let most = 0;
  let bytes = 0;
  let chunks = 0;
  const answer = await openAnswer();

  // Whoever does not read stops the server after what fits into the buffers of the kernel and ours.
  let seen = 0;
  const isStopped = (): boolean => {
    const isStill = written > 0 && written === seen;
    seen = written;
    return isStill;
  };
  await eventually('the server to be stopped', isStopped, { intervalMs: 250 });
  assert.ok(written < CHUNKS * CHUNK.length, 'the server was never stopped');
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (chunks++ % 50 === 0) most = Math.max(most, grown());
  }
  assert.equal(bytes, CHUNKS * CHUNK.length);
  most = Math.max(most, grown());
  assert.ok(most < 20, `${before} MB before, ${most} MB more at most`);
});

test('the first bytes reach the client before the server has written the last', async () => {
  let finish = (): void => undefined;
  answering = (response) => {
    response.write('{"results":');
    finish = () => response.end('[]}\n');
  };
  const answer = await openAnswer();
  const parts: string[] = [];
  for await (const chunk of answer) {
    parts.push(String(chunk));
    if (parts.length === 1) finish();
  }
  assert.deepEqual(parts, ['{"results":', '[]}\n']);
});

test('a client that goes away ends its query on the server, whenever it goes', async () => {
  const check = async (answer: (response: ServerResponse) => void): Promise<void> => {
    const reached = new Promise<void>((resolve) => {
      answering = (response) => {
        answer(response);
        resolve();
      };
    });
    const client = new AbortController();
    const broken = ask(proxy.url, 'db', 'SELECT * FROM m', { signal: client.signal });
    await reached;
    assert.equal(open, 1);
    client.abort();
    await assert.rejects(broken, { name: 'AbortError' });
    await eventually('the end of the query', () => open === 0);
  };

  await check(() => undefined);
  await check((response) => {
    response.flushHeaders();
  });
  await check((response) => {
    response.write('{"results":');
  });
  await check(writeAll);
  assert.deepEqual(proxy.logged('request failed'), []);
});
