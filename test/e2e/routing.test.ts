import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { startInfluxd } from '../support/influxd.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { drained, PATIENT } from './replica-pair.ts';

const SECOND_NS = 1_000_000_000n;
/** 2023-11-14, in seconds. */
const TIME = 1_700_000_000;

interface Answer {
  readonly status: number;
  readonly error: string;
}

async function write(proxy: ProxyProcess, lines: string, parameters = ''): Promise<Answer> {
  const answer = await proxy.request(`/write?db=metrics${parameters}`, { body: lines });
  const error = answer.text === '' ? '' : (JSON.parse(answer.text) as { error: string }).error;
  return { status: answer.status, error };
}

const STORED: Answer = { status: 204, error: '' };

function nanosecondsOf(row: string | undefined): bigint {
  return BigInt(/ (-?\d+) /.exec(row ?? '')?.[1] ?? 'no time');
}

test('routing', async (t) => {
  const [a, b, c] = await Promise.all([startInfluxd(t), startInfluxd(t), startInfluxd(t)]);
  const databases = [
    [a, 'db_a'],
    [b, 'db_b'],
    [c, 'db_c'],
  ] as const;
  for (const [influxd, db] of databases) await influxd.createDatabase(db);
  const backends = {
    a: { url: a.url, db: 'db_a', ...PATIENT },
    b: { url: b.url, db: 'db_b', ...PATIENT },
    c: { url: c.url, db: 'db_c', ...PATIENT },
  };
  const proxy = await startProxy(t, {
    proxy: { db: 'metrics', interval: 0 },
    backends,
    keymaps: {
      cpu: ['a', 'b'],
      'cpu.load': ['c'],
      'a b': ['a'],
      'a,b': ['b'],
      'a\\b': ['c'],
      '"q"': ['c'],
      é: ['a'],
      constructor: ['b'],
      _default_: ['b', 'c'],
    },
  });
  await drained(proxy);

  /** Which servers hold the measurement, in its one place or places. */
  const holders = async (measurement: string): Promise<string> => {
    const rows = await Promise.all(databases.map(([influxd, db]) => influxd.rows(db, measurement)));
    return databases.flatMap(([, db], at) => (rows[at]?.length === 0 ? [] : [db])).join(' ');
  };

  await t.test(
    'a measurement is on the servers of its keymap entry, and on no other (W11)',
    async () => {
      const check = async (line: string, measurement: string, expected: string): Promise<void> => {
        assert.deepEqual(await write(proxy, line), STORED, line);
        assert.equal(await holders(measurement), expected, line);
      };
      await check('cpu v=1', 'cpu', 'db_a db_b');
      await check('cpu.load,host=x v=1', 'cpu.load', 'db_c');
      await check('é v=1', 'é', 'db_a');
      await check('constructor v=1', 'constructor', 'db_b');

      // No prefixes, no other case
      await check('cpu.loads v=1', 'cpu.loads', 'db_b db_c');
      await check('cp v=1', 'cp', 'db_b db_c');
      await check('CPU v=1', 'CPU', 'db_b db_c');
      await check('_default_ v=1', '_default_', 'db_b db_c');
      await check('toString v=1', 'toString', 'db_b db_c');

      // Names that are written with escapes, or that only look so (W4)
      await check(String.raw`a\ b v=1`, 'a b', 'db_a');
      await check(String.raw`a\,b v=1`, 'a,b', 'db_b');
      await check(String.raw`a\b v=1`, String.raw`a\b`, 'db_c');
      await check('"q" v=1', '"q"', 'db_c');
    },
  );

  await t.test('one body is taken apart, whatever its lines hold (W2, W5)', async () => {
    const lines = [
      '# a comment, not a measurement (W5)',
      '',
      '  cpu,case=mixed text="two\ncpu.load v=9 1\nlines" 1', // (W2) one point of cpu
      'cpu.load,case=mixed v=1 2',
      '\tother,case=mixed v=1 3',
      '   ',
      String.raw`a\ b,case=mixed text="\"a\\" 4`,
      'cpu,case=mixed v=2 5\n\n',
    ];
    assert.deepEqual(await write(proxy, lines.join('\n')), STORED);
    const rowsOf = async (measurement: string): Promise<string[][]> => {
      const rows = await Promise.all(
        databases.map(([influxd, db]) => influxd.rows(db, measurement)),
      );
      return rows.map((all) => all.filter((row) => row.includes('"case":"mixed"')));
    };
    const cpu = [
      'cpu {"case":"mixed"} 1 text:string="two\\ncpu.load v=9 1\\nlines"',
      'cpu {"case":"mixed"} 5 v:float=2',
    ];
    assert.deepEqual(await rowsOf('cpu'), [cpu, cpu, []]);
    const load = ['cpu.load {"case":"mixed","host":""} 2 v:float=1'];
    assert.deepEqual(await rowsOf('cpu.load'), [[], [], load]);
    const other = ['other {"case":"mixed"} 3 v:float=1'];
    assert.deepEqual(await rowsOf('other'), [[], other, other]);
    const escaped = ['a b {"case":"mixed"} 4 text:string="\\"a\\\\"'];
    assert.deepEqual(await rowsOf('a b'), [escaped, [], []]);
  });

  await t.test('a line that ends in a backslash costs the others nothing (W3)', async () => {
    const { status, error } = await write(proxy, 'cpu,case=w3 v=1 1\ncpu\\');
    assert.equal(status, 400);
    assert.match(error, /^partial write: unable to parse 'cpu\\/);
    const rows = (await a.rows('db_a', 'cpu')).filter((row) => row.includes('w3'));
    assert.deepEqual(rows, ['cpu {"case":"w3"} 1 v:float=1']);
  });

  await t.test('rp and precision reach the server (W1)', async () => {
    const replicas = databases.slice(1);
    for (const [influxd, db] of replicas) {
      const policy = `CREATE RETENTION POLICY "two y" ON ${db} DURATION INF REPLICATION 1`;
      await influxd.query('', policy);
    }
    const check = async (time: number, precision: string, unitNs: bigint): Promise<void> => {
      const line = `times,p=p${precision} v=1 ${time}`;
      assert.deepEqual(await write(proxy, line, `&rp=two+y&precision=${precision}`), STORED);
      const expected = `times {"p":"p${precision}"} ${BigInt(time) * unitNs} v:float=1`;
      for (const [influxd, db] of replicas) {
        const rows = await influxd.rows(db, 'times', 'two y');
        assert.deepEqual(
          rows.filter((row) => row.includes(`"p${precision}"`)),
          [expected],
          db,
        );
      }
    };
    await check(TIME, 's', SECOND_NS);
    await check(TIME * 1000, 'ms', 1_000_000n);
    await check(TIME, 'n', 1n);
    await check(-TIME, 'u', 1_000n); // (D20) before 1970
    await check(28_333_333, 'm', 60n * SECOND_NS);
    await check(472_222, 'h', 3600n * SECOND_NS);
    assert.deepEqual(
      (await a.rows('db_a', 'cpu')).filter((row) => row.includes('"ps"')),
      [],
    );
  });

  await t.test('lines without a timestamp get the same one on both replicas (D19)', async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const requests = 30;
    for (let request = 0; request < requests; request++) {
      const lines = [0, 1].map((line) => `cpu,stamp=r${request},line=l${line} v=1`);
      assert.deepEqual(await write(proxy, lines.join('\n')), STORED);
    }
    const [onA, onB] = await Promise.all([a.rows('db_a', 'cpu'), b.rows('db_b', 'cpu')]);
    assert.deepEqual(onA, onB);
    let last = before;
    for (let request = 0; request < requests; request++) {
      const times = onA.filter((row) => row.includes(`"stamp":"r${request}"`)).map(nanosecondsOf);
      assert.equal(times.length, 2);
      const [first = 0n, second] = times;
      assert.equal(first, second, 'one timestamp a request');
      assert.ok(first > last, `${first} of request ${request} is not after ${last}`);
      last = first;
    }
  });

  await t.test('the timestamp that a line gets is cut to the precision', async () => {
    assert.deepEqual(await write(proxy, 'cpu,cut=s v=1', '&precision=s'), STORED);
    assert.deepEqual(await write(proxy, 'cpu,cut=h v=1', '&precision=h'), STORED);
    const rows = await a.rows('db_a', 'cpu');
    const timeOf = (cut: string): bigint =>
      nanosecondsOf(rows.find((row) => row.includes(`"cut":"${cut}"`)));
    assert.equal(timeOf('s') % SECOND_NS, 0n);
    assert.equal(timeOf('h') % (3600n * SECOND_NS), 0n);
    const age = BigInt(Date.now()) * 1_000_000n - timeOf('s');
    assert.ok(age >= 0n && age < 60n * SECOND_NS, `${age} ns old`);
  });

  await t.test(
    'a measurement without a route is named, and the others are stored (W6)',
    async (t) => {
      const strict = await startProxy(t, {
        proxy: { db: 'metrics', interval: 0 },
        backends,
        keymaps: { cpu: ['a', 'b'] },
      });
      const check = async (lines: string, expected: Answer): Promise<void> => {
        assert.deepEqual(await write(strict, lines), expected, lines);
      };
      await check('cpu,case=w6 v=1 1\nnobody v=1 1\ncpu,case=w6 v=2 2\nnobody v=2', {
        status: 400,
        error: 'partial write: no route for measurement "nobody" dropped=2',
      });
      await check('nobody v=1', {
        status: 400,
        error: 'partial write: no route for measurement "nobody" dropped=1',
      });
      const rows = (await b.rows('db_b', 'cpu')).filter((row) => row.includes('w6'));
      assert.equal(rows.length, 2);
      assert.equal(await holders('nobody'), '');
    },
  );

  await t.test(
    'the proxy writes nothing of its own where no keymap asks for it (W12)',
    async () => {
      for (const [influxd, db] of databases) {
        const names = JSON.stringify(await influxd.query(db, 'SHOW MEASUREMENTS'));
        assert.doesNotMatch(names, /influxdb\.cluster|statistics/);
      }
    },
  );
});
