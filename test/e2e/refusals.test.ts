import { strict as assert } from 'node:assert';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../support/http-client.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { DB, drained, empty, pairConfig, startPair } from './replica-pair.ts';

interface DeadLine {
  readonly line: string;
  readonly error: string;
  readonly db: string;
}

/** The file's lines; none when there is no file. */
async function deadLetterOf(proxy: ProxyProcess, backend: string): Promise<DeadLine[]> {
  const file = path.join(proxy.dataDir, 'dead-letter', `${backend}.jsonl`);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  });
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as DeadLine);
}

async function write(url: string, db: string, lines: string, rp = ''): Promise<[number, string]> {
  const answer = await httpRequest(`${url}/write?db=${db}&rp=${rp}`, { body: lines });
  return [answer.status, answer.text];
}

const WEEK_NS = 7n * 24n * 3_600_000_000_000n;

const CONFLICT = /^\{"error":"partial write: field type conflict: .* dropped=1"\}\n$/;

test('what a real server refuses', async (t) => {
  const [a, b] = await startPair(t);
  const networks = await Promise.all([tcpProxy(t, a.port), tcpProxy(t, b.port)]);
  const [networkA, networkB] = networks;
  const proxy = await startProxy(
    t,
    // Patient, so that no verdict is replaced by a spill on a busy machine.
    pairConfig([networkA.url, networkB.url], { spillAfter: 8_000, interval: 8_000 }),
  );
  await drained(proxy);

  /** Resolves when the bodies of requests under way have come, which no backend has answered. */
  const gathered = async (bytes: number): Promise<void> => {
    await proxy.waitFor((meta) => (meta as { inflightBytes?: number }).inflightBytes === bytes, {
      what: `${bytes} bytes in flight`,
    });
  };

  await t.test('a type conflict of one client is its own, also within a batch (D18)', async () => {
    assert.deepEqual(await write(proxy.url, 'metrics', 'm,c=first v=1 1'), [204, '']);
    for (const network of networks) network.stall('to client');
    // The first waits for its answer; the others gather behind it and leave together.
    const first = write(proxy.url, 'metrics', 'm,c=first v=2 2');
    await gathered(2 * 'm,c=first v=2 2'.length + 1);
    const bodies = Array.from({ length: 9 }, (_, client) =>
      client === 4 ? 'm,c=bad v=1 1\nm,c=bad v="text" 2\nm,c=bad v=3 3' : `m,c=c${client} v=1 1`,
    );
    const answers = bodies.map((body) => write(proxy.url, 'metrics', body));
    await gathered(2 * 'm,c=first v=2 2'.length + 1 + bodies.join('').length);
    for (const network of networks) network.flow('to client');

    assert.deepEqual(await first, [204, '']);
    const settled = await Promise.all(answers);
    const [status, text] = settled[4] ?? [];
    assert.deepEqual(settled.toSpliced(4, 1), Array(8).fill([204, '']));
    assert.deepEqual([status, text], await write(a.url, DB, bodies[4] ?? ''), "InfluxDB's words");
    assert.match(text ?? '', CONFLICT);
    const rows = await a.rows(DB, 'm');
    assert.equal(rows.length, 2 + 8 + 2);
    assert.deepEqual(await b.rows(DB, 'm'), rows);
    assert.deepEqual(await deadLetterOf(proxy, 'a'), [], 'the client knows');
  });

  await t.test('an unknown retention policy is an error and no outage', async () => {
    const direct = await write(a.url, DB, 'm v=1', 'nope');
    assert.deepEqual(await write(proxy.url, 'metrics', 'm v=1', 'nope'), direct);
    assert.deepEqual(direct, [500, '{"error":"retention policy not found: nope"}\n']);
    await drained(proxy, 1_000);
  });

  await t.test(
    'points beyond the retention policy are an error, the others are stored',
    async () => {
      for (const influxd of [a, b]) {
        await influxd.query('', `CREATE RETENTION POLICY day ON ${DB} DURATION 1d REPLICATION 1`);
      }
      const now = BigInt(Date.now()) * 1_000_000n;
      const lines = `old v=1 1\nold v=2 ${now}\nold v=3 2`;
      const direct = await write(a.url, DB, lines, 'day');
      assert.deepEqual(await write(proxy.url, 'metrics', lines, 'day'), direct);
      assert.equal(
        direct[1],
        '{"error":"partial write: points beyond retention policy dropped=2"}\n',
      );
      assert.deepEqual(await b.rows(DB, 'old', 'day'), [`old {} ${now} v:float=2`]);
    },
  );

  await t.test('what one replica alone refuses is in its dead letter', async () => {
    await b.write(DB, 'differs v=1i 1');
    const answer = await write(proxy.url, 'metrics', 'differs v=1 2\ndiffers w=1 2\ndiffers v=2 3');
    const text =
      'partial write: field type conflict: input field "v" on measurement "differs"' +
      ' is type float, already exists as type integer dropped=2';
    assert.deepEqual(answer, [400, `${JSON.stringify({ error: text })}\n`]);
    const dead = await deadLetterOf(proxy, 'b');
    assert.deepEqual(
      dead.map(({ line, db }) => [line, db]),
      [
        ['differs v=1 2', DB],
        ['differs v=2 3', DB],
      ],
    );
    for (const { error } of dead) assert.match(error, /already exists as type integer dropped=2/);
    assert.deepEqual(await deadLetterOf(proxy, 'a'), []);
    assert.equal((await a.rows(DB, 'differs')).length, 2);
    assert.equal((await b.rows(DB, 'differs')).length, 2, 'its own and w');
    const meta = (await proxy.meta()).backends['b'] as { deadLetters?: number } | undefined;
    assert.equal(meta?.deadLetters, 2);
  });

  await t.test(
    'a refused line in a backlog goes to the dead letter and holds nothing up (D17)',
    async () => {
      await empty([a, b]);
      const before = (await deadLetterOf(proxy, 'b')).length;
      await Promise.all(networks.map((network) => network.cut()));
      const bodies = [
        'poison v=1 1',
        'poison v=2 2\npoison v="text" 3\npoison v=4 4',
        'poison v=5 5\npoison,t=two v="a",w=1 6',
        'unknown v=1 1',
        'poison v=7 7',
      ];
      for (const [index, body] of bodies.entries()) {
        const rp = index === 3 ? 'nope' : '';
        assert.deepEqual(await write(proxy.url, 'metrics', body, rp), [204, ''], body);
      }
      await Promise.all(networks.map((network) => network.restore()));
      await drained(proxy);

      const rows = await a.rows(DB, 'poison');
      assert.deepEqual(
        rows.map((row) => / (\d+) v:float/.exec(row)?.[1]),
        ['1', '2', '4', '5', '7'],
      );
      assert.deepEqual(await b.rows(DB, 'poison'), rows);
      for (const [name, skip] of [
        ['a', 0],
        ['b', before],
      ] as const) {
        const dead = (await deadLetterOf(proxy, name)).slice(skip);
        assert.deepEqual(
          dead.map(({ line }) => line),
          ['poison v="text" 3', 'poison,t=two v="a",w=1 6', 'unknown v=1 1'],
          name,
        );
        assert.match(dead[0]?.error ?? '', /field type conflict: input field "v"/);
        assert.match(dead[2]?.error ?? '', /retention policy not found: nope/);
      }
    },
  );

  await t.test(
    'a line with two faults does not take its neighbours to the dead letter',
    async () => {
      await empty([a, b]);
      const before = (await deadLetterOf(proxy, 'a')).length;
      await Promise.all(networks.map((network) => network.cut()));
      for (const body of ['two v=1,w=1 1', 'two v=2 2\ntwo v="x",w="y" 3']) {
        assert.deepEqual(await write(proxy.url, 'metrics', body), [204, ''], body);
      }
      await Promise.all(networks.map((network) => network.restore()));
      await drained(proxy);
      assert.equal((await a.rows(DB, 'two')).length, 2);
      const dead = (await deadLetterOf(proxy, 'a')).slice(before);
      assert.deepEqual(
        dead.map(({ line }) => line),
        ['two v="x",w="y" 3'],
      );
    },
  );

  await t.test(
    'what one replica refuses while another one is down is in its dead letter',
    async () => {
      await empty([a, b]);
      const before = (await deadLetterOf(proxy, 'a')).length;
      await a.write(DB, 'later v=1i 1');
      await networkB.cut();
      const lines = 'later v=1 2\nlater w=1 3';
      const [status, text] = await write(proxy.url, 'metrics', lines);
      assert.equal(status, 400, 'the client is told at once');
      assert.match(text, CONFLICT);
      const dead = (await deadLetterOf(proxy, 'a')).slice(before);
      assert.deepEqual(
        dead.map(({ line }) => line),
        ['later v=1 2'],
      );
      assert.match(dead[0]?.error ?? '', /already exists as type integer/);
      await networkB.restore();
      await drained(proxy);
      assert.deepEqual(await b.rows(DB, 'later'), ['later {} 2 v:float=1', 'later {} 3 w:float=1']);
      assert.deepEqual(await a.rows(DB, 'later'), [
        'later {} 1 v:integer=1',
        'later {} 3 w:float=1',
      ]);
    },
  );

  await t.test(
    'names that are not UTF-8 are stored and keep no replica from being read',
    async () => {
      await empty([a, b]);
      const lines = Array.from({ length: 12 }, (_, week) => {
        const name = week % 2 === 0 ? 'm\xff' : 'm';
        const field = week % 2 === 0 ? 'v' : 'v\xff';
        return Buffer.from(`${name} ${field}=1 ${BigInt(week) * WEEK_NS}`, 'latin1');
      });
      const first = Buffer.from('x\xff v=1', 'latin1');
      const direct = await httpRequest(`${a.url}/write?db=${DB}`, { body: first });
      assert.equal(direct.status, 500, 'once a shard, from a server itself');
      const catchingUp = proxy.logged('backend is catching up').length;
      for (const body of lines) {
        const answer = await httpRequest(`${proxy.url}/write?db=metrics`, { body });
        assert.equal(answer.status, 204, answer.text);
      }
      assert.equal(proxy.logged('backend is catching up').length, catchingUp);
      for (const influxd of [a, b]) {
        const { results } = await influxd.query(DB, 'SELECT * FROM /^m/');
        const rows = results?.[0]?.series?.flatMap(({ values }) => values ?? []) ?? [];
        assert.equal(rows.length, 12);
      }
    },
  );
});
