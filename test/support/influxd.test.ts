import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { startInfluxd } from './influxd.ts';

test('rows tell apart what a double or JSON would make equal', async (t) => {
  const influxd = await startInfluxd(t);
  await influxd.createDatabase('db');
  await influxd.write('db', [
    'm,host=b,zone=x value=9007199254740993i 1700000000000000001',
    'm,host=a value=9007199254740992i,text="12" 1700000000000000001',
    'n value=5 1700000000000000001',
    'o value=5i 1700000000000000001',
  ]);

  assert.deepEqual(await influxd.rows('db', 'm'), [
    'm {"host":"a","zone":""} 1700000000000000001 text:string="12" value:integer=9007199254740992',
    'm {"host":"b","zone":"x"} 1700000000000000001 value:integer=9007199254740993',
  ]);
  assert.deepEqual(await influxd.rows('db', 'n'), ['n {} 1700000000000000001 value:float=5']);
  assert.deepEqual(await influxd.rows('db', 'o'), ['o {} 1700000000000000001 value:integer=5']);
  assert.deepEqual(await influxd.rows('db', 'nothing'), []);
});

test('what influxd acknowledged survives SIGKILL and a start on the same port', async (t) => {
  const influxd = await startInfluxd(t);
  await influxd.createDatabase('db');
  await influxd.write('db', 'm value=1i 1');

  await influxd.kill();
  await assert.rejects(influxd.write('db', 'm value=2i 2'), { code: 'ECONNREFUSED' });
  await influxd.start();
  assert.deepEqual(await influxd.rows('db', 'm'), ['m {} 1 value:integer=1']);
});

test('a paused influxd answers nothing until it is resumed', async (t) => {
  const influxd = await startInfluxd(t);
  await influxd.pause();
  const late = influxd.query('', 'SHOW DATABASES');
  const first = await Promise.race([late, new Promise((resolve) => setTimeout(resolve, 200))]);
  assert.equal(first, undefined);
  influxd.resume();
  assert.deepEqual((await late).results?.[0]?.series?.[0]?.columns, ['name']);
});

test('settings and an administrator reach influxd', async (t) => {
  const influxd = await startInfluxd(t, {
    settings: { data: { 'max-series-per-database': 1 } },
    admin: { username: 'root', password: 'secret' },
  });
  await influxd.createDatabase('db');
  await influxd.write('db', 'm,host=a value=1');
  await assert.rejects(influxd.write('db', 'm,host=b value=1'), /max-series-per-database/);
  await assert.rejects(influxd.query('db', 'SELEKT'), /error parsing query/);
});
