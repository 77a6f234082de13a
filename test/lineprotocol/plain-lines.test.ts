import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { LineScan } from '../../src/lineprotocol/line-scan.ts';
import { PlainLines } from '../../src/lineprotocol/plain-lines.ts';

const SCANNER = new URL('../../src/lineprotocol/scanner.js', import.meta.url).href;

const VISITOR = {
  point: (): void => undefined,
  invalid: (): void => undefined,
};

const found = PlainLines.open();
assert.ok(found !== undefined, 'a processor without SSE4.1 runs no tests of the fast path');
const plainLines = found;

/** Whether the fast path takes all of the body, and leaves none of it to the general path. */
function isPlain(body: string): boolean {
  const bytes = Buffer.from(body);
  const until = plainLines.load(bytes, 0);
  return plainLines.visit(new LineScan(bytes, 'ns'), 0, VISITOR) >= until;
}

test('lines as real clients send them are plain', () => {
  const lines = [
    'cpu,cpu=cpu-total,host=server-1 usage_user=1.25,usage_idle=98.5 1700000000000000000',
    'mem,host=ä used=12i,free=-3i,ok=true,bad=f,text="a b, c=d" 1700000000000000000',
    'unsorted,z=1,host=b,a=3 v=1 1',
    'm,host=my\\ host,dir=C:\\Windows,list=a\\,b\\=c v=1 17',
    'm v=1',
    'm"x,t=5" v"=1',
    'm s="two\nlines",w="" 17',
    'm,host=a,host2=b,hostname=c,hos=d v=0.1',
    'm v=123456789012345678,w=1234567890.1234567890',
    `m,tag=${'x'.repeat(63_900)} v=1 17`,
  ];
  for (const line of lines) assert.equal(isPlain(line), true, line.slice(0, 100));
  assert.equal(isPlain(lines.join('\n')), false, 'the last line is in the next piece');
  assert.equal(isPlain(`${lines.slice(0, -1).join('\n')}\n`), true);
});

test('what needs a closer look is left to the general path', () => {
  const lines = [
    ' m v=1',
    '#m v=1',
    '\n',
    'm\\,x v=1',
    'm,t\\ u=a v=1',
    'm,t=a\\\\ v=1',
    'm f\\ g=1',
    'm s="a\\"b"',
    'm  v=1',
    'm v=1  17',
    'm v=1 17 ',
    'm v=1e3',
    'm v=.5',
    'm v=1u',
    'm v=TRUE',
    'm v=1234567890123456789i',
    'm v=1 9000000000000000000',
    'm v=1 -17',
    'm,t=a=b v=1',
    'm,t= v=1',
    'm v=1,',
    'm v="a',
    'm v="a"x',
    `m,tag=${'x'.repeat(64_000)} v=1 17`,
  ];
  for (const line of lines) assert.equal(isPlain(line), false, line.slice(0, 100));
});

test('a processor without the instructions of the fast path scans all the same', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--no-enable-sse4-1',
    '--input-type=module',
    '--eval',
    `const { LineScanner } = await import(${JSON.stringify(SCANNER)});
     const scanner = new LineScanner();
     const seen = [];
     const visitor = { point: (start) => seen.push(start), invalid: (start) => seen.push(-start) };
     Array.from(scanner.scan(Buffer.from('m v=1\\nm v=\\nm v=2'), 'ns', visitor));
     console.log(scanner.isSlow, seen.join());`,
  ]);
  assert.equal(stdout, 'true 0,-6,11\n');
});
