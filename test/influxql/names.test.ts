import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseQuery } from '../../src/influxql/parser.ts';
import { databasesOf, type Source } from '../../src/influxql/statement.ts';
import { one, textOf } from './support.ts';

function shown({ db, rp, name, regex, depth }: Source): string {
  const prefix = `${db?.value ?? ''}|${rp?.value ?? ''}|`;
  return `${prefix}${name ?? `/${regex ?? ''}/`}@${depth}`;
}

test('sources', () => {
  const check = (q: string, ...expected: string[]): void => {
    assert.deepEqual(one(q).sources.map(shown), expected, q);
  };

  check('SELECT v FROM m', '||m@0');
  check('SELECT v FROM db.rp.m, db..m, rp.m', 'db|rp|m@0', 'db||m@0', '|rp|m@0');
  check('SELECT v FROM db."".m, "".m, "".""."m"', 'db||m@0', '||m@0', '||m@0');
  check('SELECT v FROM db. rp. m', 'db|rp|m@0');
  check(
    'SELECT v FROM /re/, db.rp./re/, db../re/, rp./re/',
    '||/re/@0',
    'db|rp|/re/@0',
    'db||/re/@0',
    '|rp|/re/@0',
  );
  check('SELECT v FROM cpu"secret", ok"secretdb"..cpu', '||secret@0', 'secretdb||cpu@0');
  check('SELECT v FROM ""', '||@0');
  check('SELECT v FROM m,n ,o', '||m@0', '||n@0', '||o@0');
  check(
    'SELECT v FROM a, (SELECT v FROM b, (SELECT v FROM c)), d',
    '||a@0',
    '||b@1',
    '||c@2',
    '||d@0',
  );
  check('SELECT v FROM(SELECT v FROM m)', '||m@1');

  check('SHOW SERIES ON ok FROM secret..m', 'secret||m@0');
  check('SHOW MEASUREMENTS WITH MEASUREMENT = m', '||m@0');
  check('SHOW MEASUREMENTS WITH MEASUREMENT =~ /m/', '||/m/@0');
  check('DELETE FROM m, /re/', '||m@0', '||/re/@0');
  check('DELETE WHERE time < 0');
  check('DROP SERIES FROM m', '||m@0');
  check('DROP MEASUREMENT "m 1"', '||m 1@0');
});

test('comments where a regex may stand, as InfluxDB has it', () => {
  const check = (q: string, ok: boolean): void => {
    assert.equal(parseQuery(q).ok, ok, q);
  };

  check('SELECT /*c*/ v FROM m', false);
  check('SELECT v FROM /*c*/ m', false);
  check('SELECT v FROM /*c*/ (SELECT v FROM m)', false);
  check('SELECT v FROM m, /*c*/ n', false);
  check('SELECT v FROM m /*c*/', false);
  check('SELECT v FROM m;/*c*/', false);
  check('SELECT v FROM m,/re/', false);
  check('SELECT v FROM m/*c*/', true);
  check('SELECT v FROM m, /re/', true);
  check('SELECT v FROM a.b.c /*c*/', true);
  check('SELECT v FROM m --c\n', true);
  check('SELECT v --c\nFROM --c\n m', true);
  check('SELECT v AS w /*c*/ , x FROM m', false);
  check('SELECT v /*c*/ , x FROM m', true);
  check('SELECT v FROM m GROUP BY /re/ , h', false);
  check('SELECT v FROM m GROUP BY /re/, h', true);
});

test('every database that is named is found, with its place', () => {
  const check = (q: string, ...expected: string[]): void => {
    const names = databasesOf(one(q)).map((name) => `${name.value}=${textOf(q, name)}`);
    assert.deepEqual(names.sort(), expected.sort(), q);
  };

  check('SELECT v FROM m');
  check('SELECT v FROM "a".."m", rp.m, b.rp./re/', 'a="a"', 'b=b');
  check('SELECT v FROM x"a"..m', 'a=x"a"');
  check('SELECT v INTO a..t FROM b..m, (SELECT v INTO c..t FROM d..m)', 'a=a', 'b=b', 'c=c', 'd=d');
  check('SHOW SERIES ON a FROM b..m', 'a=a', 'b=b');
  check('SHOW MEASUREMENTS ON *.*', '*=*');
  check('SHOW MEASUREMENTS ON "*"', '*="*"');
  check('SHOW RETENTION POLICIES ON a', 'a=a');
  check('SHOW TAG VALUES ON a FROM b.rp.m WITH KEY = k', 'a=a', 'b=b');
  check('CREATE DATABASE a WITH NAME x', 'a=a');
  check('DROP DATABASE a', 'a=a');
  check('CREATE RETENTION POLICY r ON a DURATION 1h REPLICATION 1', 'a=a');
  check('ALTER RETENTION POLICY r ON a DEFAULT', 'a=a');
  check('DROP RETENTION POLICY r ON a', 'a=a');
  check(`CREATE SUBSCRIPTION s ON a.r DESTINATIONS ALL 'x'`, 'a=a');
  check('DROP SUBSCRIPTION s ON a.r', 'a=a');
  check(
    'CREATE CONTINUOUS QUERY q ON a BEGIN SELECT v INTO b..t FROM c..m END',
    'a=a',
    'b=b',
    'c=c',
  );
  check('GRANT READ ON a TO u', 'a=a');
  check('REVOKE READ ON a FROM u', 'a=a');
  check('KILL QUERY 7 ON host');
});

test('ON * means all databases, ON "*" one of that name', () => {
  assert.equal(one('SHOW MEASUREMENTS ON *').everyDatabase, true);
  assert.equal(one('SHOW MEASUREMENTS ON *.rp').policy?.value, 'rp');
  assert.equal(one('SHOW MEASUREMENTS ON "*"').everyDatabase, false);
});

test('INTO', () => {
  const check = (q: string, expected: string): void => {
    const { into } = one(q);
    const name = into?.backref === true ? ':M' : into?.name;
    const found = `${into?.db?.value ?? ''}|${into?.rp?.value ?? ''}|${name ?? ''}`;
    assert.equal(`${found} ${textOf(q, into)}`, expected, q);
  };

  check('SELECT v INTO t FROM m', '||t t');
  check('SELECT v INTO a.b.c FROM m', 'a|b|c a.b.c');
  check('SELECT v INTO ok"sneaky" FROM m', '||sneaky ok"sneaky"');
  check('SELECT v INTO rp.:MEASUREMENT FROM m', '|rp|:M rp.:MEASUREMENT');
  check('SELECT v INTO a.rp.:measurement FROM m', 'a|rp|:M a.rp.:measurement');
  check('SELECT v INTO a..:MEASUREMENT FROM m', 'a||:M a..:MEASUREMENT');
  check('SELECT v INTO rp :MEASUREMENT FROM m', '|rp|:M rp :MEASUREMENT');
});
