import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { parseListenAddr } from '../../src/config/listen-addr.ts';

test('an address to listen on is host:port, the host being optional', () => {
  const check = (text: string, host: string | undefined, port: number): void => {
    assert.deepEqual(parseListenAddr(text), { host, port }, text);
  };

  check('localhost:8087', 'localhost', 8087);
  check('127.0.0.1:0', '127.0.0.1', 0);
  check('my-host_1.example.com:65535', 'my-host_1.example.com', 65_535);
  check(':8087', undefined, 8087);
  check('[::1]:8087', '::1', 8087);
  check('[::]:8087', '::', 8087);
  check('[fe80::1%eth0]:80', 'fe80::1%eth0', 80);
});

test('anything else is not an address', () => {
  const check = (text: string): void => {
    assert.equal(parseListenAddr(text), undefined, text);
  };

  check('');
  check('localhost');
  check('8087');
  check(':');
  check('localhost:');
  check('localhost:http');
  check('localhost:65536');
  check('localhost:-1');
  check('localhost:123456');
  check('::1:8087'); // which colon ends the host?
  check('[]:8087');
  check('[localhost]:8087');
  check('[::1]');
  check('http://localhost:8087');
  check(' localhost:8087');
  check('local host:8087');
  check('localhost:8087/');
});
