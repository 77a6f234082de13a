import { test } from 'node:test';
import { type Json, checkProblems, withBackend, withProxy } from './support.ts';

test('wrong values in the proxy section', () => {
  const check = (proxy: unknown, expected: string): void => {
    checkProblems(withProxy(proxy), `proxy${expected}`);
  };
  const seconds = 'an integer from 1 to 2147483 (seconds)';
  const address =
    'host:port with a port from 0 to 65535, such as localhost:8087, :8087 or [::1]:8087';

  check([], ': found an empty list, expected an object');
  check(null, ': found null, expected an object');
  check({ listenAddr: 8087 }, '.listenAddr: found 8087, expected host:port');
  check({ listenAddr: '8087' }, `.listenAddr: found "8087", expected ${address}`);
  check({ listenAddr: ':65536' }, `.listenAddr: found ":65536", expected ${address}`);
  check({ db: null }, '.db: found null, expected text');
  check({ zone: 1 }, '.zone: found 1, expected text');
  check({ idleTimeout: 0 }, `.idleTimeout: found 0, expected ${seconds}`);
  check({ idleTimeout: 1.5 }, `.idleTimeout: found 1.5, expected ${seconds}`);
  check({ idleTimeout: '10s' }, `.idleTimeout: found "10s", expected ${seconds}`);
  check({ idleTimeout: 2_147_484 }, `.idleTimeout: found 2147484, expected ${seconds}`);
  check(
    { interval: -1 },
    '.interval: found -1, expected an integer from 0 to 2147483 (seconds, 0 is off)',
  );
  check({ writeTracing: 2 }, '.writeTracing: found 2, expected 0 or 1');
  check({ queryTracing: '1' }, '.queryTracing: found "1", expected 0 or 1');
  check({ dataDir: '' }, '.dataDir: found "", expected a directory');
  check(
    { maxBodySize: 0 },
    '.maxBodySize: found 0, expected an integer from 1 to 2147483647 (bytes)',
  );
  check(
    { maxInflightBytes: 1e300 },
    '.maxInflightBytes: found 1e+300, expected an integer of at least 1 (bytes)',
  );
  check(
    { gzipLevel: 10 },
    '.gzipLevel: found 10, expected an integer from 1 to 9 (1 is fastest, 9 is smallest)',
  );
  check(
    { allowStatements: 'DELETE' },
    '.allowStatements: found "DELETE", expected a list of statements',
  );
  check(
    { allowStatements: ['drop measurement', 'drop database'] },
    '.allowStatements[1]: found "drop database", expected one of "drop measurement", "create retention policy", "alter retention policy", "drop retention policy"',
  );
});

test('wrong values in a backend', () => {
  const check = (backend: Json, expected: string): void => {
    checkProblems(withBackend(backend), `backends.node1.${expected}`);
  };
  const milliseconds = 'an integer from 1 to 2147483647 (milliseconds)';

  check({ db: '' }, 'db: found "", expected the name of its database');
  check({ db: undefined }, 'db: found nothing, expected the name of its database');
  for (const key of ['interval', 'timeoutQuery', 'checkInterval', 'rewriteInterval']) {
    check({ [key]: 0 }, `${key}: found 0, expected ${milliseconds}`);
    check({ [key]: 2 ** 31 }, `${key}: found 2147483648, expected ${milliseconds}`);
  }
  check({ timeout: -5 }, `timeout: found -5, expected ${milliseconds}`);
  check({ timeout: '5s', spillAfter: 5 }, `timeout: found "5s", expected ${milliseconds}`);
  check({ spillAfter: 0 }, `spillAfter: found 0, expected ${milliseconds}`);
  check({ spillAfter: 10_001 }, 'spillAfter: found 10001, expected at most timeout (10000)');
  check({ spillAfter: 500, timeout: 400 }, 'spillAfter: found 500, expected at most timeout (400)');
  check({ maxRowLimit: 0 }, 'maxRowLimit: found 0, expected an integer of at least 1 (points)');
  check(
    { maxSpillBytes: '1G' },
    'maxSpillBytes: found "1G", expected an integer of at least 1 (bytes)',
  );
  check({ gzip: 'yes' }, 'gzip: found "yes", expected 0 or 1');
  check({ writeOnly: null }, 'writeOnly: found null, expected 0 or 1');
  check({ onSpillFull: 'drop' }, 'onSpillFull: found "drop", expected "detach" or "reject"');
});

test('wrong URLs of a backend', () => {
  const check = (url: unknown, found: string, expected: string): void => {
    checkProblems(withBackend({ url }), `backends.node1.url: found ${found}, expected ${expected}`);
  };
  const anyUrl = 'an http:// or https:// URL, such as http://127.0.0.1:8086';

  check(undefined, 'nothing', anyUrl);
  check(8086, '8086', anyUrl);
  check('', '""', anyUrl);
  check('127.0.0.1:8086', '"127.0.0.1:8086"', anyUrl);
  check('localhost:8086', '"localhost:8086"', anyUrl);
  check('ftp://influx', '"ftp://influx"', anyUrl);
  check('http://', '"http://"', anyUrl);
  check('http:influx', '"http:influx"', anyUrl);
  check('http:///influx', '"http:///influx"', anyUrl);
  check('http://influx:99999', '"http://influx:99999"', anyUrl);
  check(' http://influx', '" http://influx"', anyUrl);
  check(
    'http://influx:8086/#a',
    '"http://influx:8086/#a"',
    'a URL without a query and without "#"',
  );
});
