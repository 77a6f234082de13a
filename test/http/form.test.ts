import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMultipart } from '../../src/http/form.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

type Fields = Record<string, string>;

test('the parts of a multipart form are read as Go reads them', () => {
  const check = (body: string, values: Fields | undefined, files: Fields = {}): void => {
    const form = parseMultipart(Buffer.from(body), 'b');
    const seen = form && [Object.fromEntries(form.values), Object.fromEntries(form.files)];
    assert.deepEqual(seen, values && [values, files], JSON.stringify(body));
  };
  const part = (disposition: string, content: string): string =>
    `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
  const end = '--b--\r\n';

  check(end, {});
  check(part('name="q"', 'x') + end, { q: 'x' });
  check(part('name="q"', '') + end, { q: '' });
  check(part('name="q"', ' a\r\nb\n\n') + end, { q: ' a\r\nb\n\n' });
  check(part('name="q"', 'ä') + end, { q: 'ä' });
  check(part('name="a b"', '1') + part('name="c;d"', '2') + end, { 'a b': '1', 'c;d': '2' });

  // Of two values, or files, the first; files apart.
  check(part('name="q"', '1') + part('name="q"', '2') + end, { q: '1' });
  const file = part('name="q"; filename="a.txt"', 'f');
  check(file + part('name="q"', '1') + end, { q: '1' }, { q: 'f' });
  check(file + part('name="q"; filename=b', 'g') + end, {}, { q: 'f' });
  check(part("name=q; filename*=utf-8''a", 'f') + end, {}, { q: 'f' });
  check(part('name="q"; filename=""', '1') + end, { q: '1' });

  // Other spellings
  check(part('name=q', 'x') + '--b--', { q: 'x' });
  check(part('NAME="q"', 'x') + end, { q: 'x' });
  check(part('filename="x; name=p"; name="q"', 'f') + end, {}, { q: 'f' });
  check('--b\ncontent-disposition:FORM-DATA; name=q\n\nx\n--b--\n', { q: 'x' });
  check(`before\r\n${part('name=q', 'x')}--b-- \t\r\nafter\r\n--b\r\n`, { q: 'x' });
  check(`--b  \r\nA: b\r\nContent-Disposition: form-data; name=q\r\nC: d\r\n\r\nx\r\n${end}`, {
    q: 'x',
  });

  // No delimiters
  check(part('name=q', 'x--b') + end, { q: 'x--b' });
  check(part('name=q', 'x\r\n--bc\r\n --b') + end, { q: 'x\r\n--bc\r\n --b' });

  // Parts that are none of a form
  const nameless = { '': 'x' };
  check('--b\r\n\r\nx\r\n--b--', nameless);
  check('--b\r\nContent-Disposition: attachment; name=q\r\n\r\nx\r\n--b--', nameless);
  check('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--', nameless);

  // Cut short: all of it, or nothing
  check('', undefined);
  check('q=x', undefined);
  check('--b', undefined);
  check(part('name=q', 'x'), undefined);
  check(`${part('name=q', 'x')}--b`, undefined);
  check(`--b\r\nContent-Disposition: form-data; name=q\r\n${end}`, undefined);

  // More parts than Go takes
  check(part('name=q', 'x').repeat(1000) + end, { q: 'x' });
  check(part('name=q', 'x').repeat(1001) + end, undefined);
});

test('a boundary is text, whatever characters it has', () => {
  const check = (boundary: string): void => {
    const body = `--${boundary}\r\nContent-Disposition: form-data; name=q\r\n\r\nx\r\n--${boundary}--`;
    assert.equal(parseMultipart(Buffer.from(body), boundary)?.values.get('q'), 'x', boundary);
  };

  check("'()+_,-./:=? a");
  check('*^$|[a](?:){1}\\');
  check('x'.repeat(70));
});

test('whatever was put into a form is read from it', async () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/);
  const content = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/\r\n?|\n/g, '\r\n'));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, content, { noNullPrototype: true }), async (given) => {
      const data = new FormData();
      for (const [key, value] of Object.entries(given)) data.append(key, value);
      const request = new Response(data);
      const boundary = /boundary=(.+)$/.exec(request.headers.get('content-type') ?? '')?.[1] ?? '';
      const form = parseMultipart(Buffer.from(await request.arrayBuffer()), boundary);
      assert.deepEqual(Object.fromEntries(form?.values ?? []), given);
    }),
  );
});

test('any bytes are read without a fault, and in time', () => {
  const piece = fc.constantFrom(
    ...['--b', '--b--', '\r\n', '\n', ' ', '\r\n\r\n', 'x', '\xff', '"', ';'],
    'Content-Disposition: form-data; name=',
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const form = parseMultipart(Buffer.from(pieces.join(''), 'latin1'), 'b');
      assert.ok(form === undefined || pieces.includes('--b--') || pieces.includes('--b'));
    }),
  );

  const megabytes = 10;
  for (const hard of ['\r\n--b\r\n\r\n', '\r\n--b ', '\r\n', '\n', '--b', ' ', '\r\n--b\r\nA: b']) {
    const bytes = Buffer.from(hard.repeat((megabytes * 2 ** 20) / hard.length));
    const ms = cpuMsOf(() => {
      parseMultipart(bytes, 'b');
    });
    // Quadratic time would be hours.
    assert.ok(ms < 10_000, `${JSON.stringify(hard)}: ${ms} ms`);
  }
});
