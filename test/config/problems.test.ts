import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Json, checkProblems, problemsOf, withBackend, withProxy } from './support.ts';

test('unknown keys', () => {
  checkProblems(
    { ...withBackend({}), proxi: {}, comment: 'x' },
    'proxi: found an unknown key, did you mean proxy?',
    'comment: found an unknown key, expected one of proxy, backends, keymaps',
  );
  checkProblems(
    withProxy({ listenaddr: ':1', databse: 'x', Interval: 5, idelTimeout: 5 }),
    'proxy.listenaddr: found an unknown key, did you mean listenAddr?',
    'proxy.databse: found an unknown key, expected one of listenAddr, db, zone, interval, idleTimeout, ' +
      'writeTracing, queryTracing, dataDir, maxBodySize, maxInflatedSize, maxInflightBytes, gzipLevel, ' +
      'maxMergeBytes, allowStatements',
    'proxy.Interval: found an unknown key, did you mean interval?',
    'proxy.idelTimeout: found an unknown key, did you mean idleTimeout?',
  );
  checkProblems(
    withBackend({ timeout_query: 1, 'a.b': 1 }),
    'backends.node1.timeout_query: found an unknown key, did you mean timeoutQuery?',
    'backends.node1["a.b"]: found an unknown key, expected one of url, db, zone, username, password, ' +
      'interval, maxRowLimit, timeout, timeoutQuery, checkInterval, rewriteInterval, writeOnly, gzip, ' +
      'spillAfter, maxSpillBytes, onSpillFull',
  );
});

test('passwords are in no message', () => {
  const check = (content: string | Json, expected: string): void => {
    assert.deepEqual(problemsOf(content), [expected]);
    assert.doesNotMatch(expected, /hunter/);
  };
  const credentials = 'a URL without credentials: put them into "username" and "password"';
  const anyUrl = 'an http:// or https:// URL, such as http://127.0.0.1:8086';

  // In the URL.
  check(
    withBackend({ url: 'http://admin:hunter2@influx:8086' }),
    `backends.node1.url: found "http://***@influx:8086", expected ${credentials}`,
  );
  check(
    withBackend({ url: 'http://admin:hun@hunter2@influx' }),
    `backends.node1.url: found "http://***@influx", expected ${credentials}`,
  );
  check(
    withBackend({ url: 'http://admin:hunter2/@influx' }),
    `backends.node1.url: found "http://***@influx", expected ${anyUrl}`,
  );
  check(
    withBackend({ url: 'admin:hunter2@influx' }),
    `backends.node1.url: found "***@influx", expected ${anyUrl}`,
  );
  check(
    withBackend({ url: 'http://influx:8086?u=admin&p=hunter2' }),
    'backends.node1.url: found "http://influx:8086?***", expected a URL without a query and without "#"',
  );

  // In their own keys, in a wrong one, in a wrong place.
  check(
    withBackend({ username: 'admin', password: ['hunter2'] }),
    'backends.node1.password: found a list, expected text',
  );
  check(
    withBackend({ username: 'admin', password: 12345 }),
    'backends.node1.password: found a number, expected text',
  );
  check(
    withBackend({ username: 'admin:hunter2' }),
    'backends.node1.username: found text, expected text without ":" (basic auth ends the name there)',
  );
  check(
    withBackend({ password: 'hunter2' }),
    'backends.node1.username: found nothing, expected a user name, because there is a password',
  );
  check(
    withBackend({ passwort: 'hunter2' }),
    'backends.node1.passwort: found an unknown key, did you mean password?',
  );
  check(
    { backends: { node1: 'http://admin:hunter2@influx' }, keymaps: {} },
    'backends.node1: found "http://***@influx", expected an object',
  );

  // In a file that is not JSON.
  check(
    '{"password": "hunter2" "db": "a"}',
    'not JSON: line 1, column 24: found "\\"", expected "," or "}"',
  );
  check('{"password": hunter2}', 'not JSON: line 1, column 14: found "h", expected a value');
});

test('long values are cut', () => {
  checkProblems(
    withProxy({ idleTimeout: 'x'.repeat(1000) }),
    `proxy.idleTimeout: found "${'x'.repeat(80)}...", expected an integer from 1 to 2147483 (seconds)`,
  );
});
