import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { errorReply, jsonText, requestIdOf } from '../../src/http/reply.ts';

test('JSON is written as Go writes it', () => {
  const check = (value: unknown, expected: string): void => {
    assert.equal(jsonText(value), expected);
  };

  check({}, '{}\n');
  check({ error: 'a "b" \\' }, '{"error":"a \\"b\\" \\\\"}\n');
  check('<a> & b', '"\\u003ca\\u003e \\u0026 b"\n');
  check('\u2028\u2029', '"\\u2028\\u2029"\n');
  check('ä\u{1f600}', '"ä\u{1f600}"\n');
  check('\0\x1f\n\r\t\x7f', '"\\u0000\\u001f\\n\\r\\t\x7f"\n');
  check('\b\f \\b \\\b', '"\\u0008\\u000c \\\\b \\\\\\u0008"\n');
  check('a\ufffd', '"a\\ufffd"\n');

  const pretty = '{\n    "a": [\n        "\\u003c",\n        {}\n    ]\n}\n';
  assert.equal(jsonText({ a: ['<', {}] }, true), pretty);
});

test('an error is JSON, and its header holds one line of visible characters', () => {
  const check = (error: string, header: string): void => {
    const reply = errorReply(400, error);
    assert.deepEqual(reply.json, { error });
    assert.equal(reply.headers?.['X-Influxdb-Error'], header);
  };

  check('unable to parse', 'unable to parse');
  check('', '');
  check('a\r\nSet-Cookie: b', 'a  Set-Cookie: b');
  check('a\nb\tc', 'a b c');
  check('a\0b\x1b\x7f', 'a?b??');
  check('ä\ufffd', '??');
  check('x'.repeat(2000), 'x'.repeat(1024));
});

test('no text of an error makes a header that cannot be sent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (error) => {
      const { headers, json } = errorReply(400, error);
      assert.match(headers?.['X-Influxdb-Error'] ?? '', /^[\x20-\x7e]{0,1024}$/);
      assert.deepEqual(json, { error });
    }),
  );
});

test('headers of the caller stand beside that of the error', () => {
  const { status, headers } = errorReply(503, 'later', { 'Retry-After': '1' });
  assert.equal(status, 503);
  assert.deepEqual(headers, { 'X-Influxdb-Error': 'later', 'Retry-After': '1' });
});

test('a request keeps the id that the client gave it, under either name', () => {
  assert.equal(requestIdOf({ 'x-request-id': 'a', 'request-id': 'b' }), 'a');
  assert.equal(requestIdOf({ 'request-id': 'b' }), 'b');
  assert.equal(requestIdOf({ 'x-request-id': '', 'request-id': '' }).length, 36);
  assert.notEqual(requestIdOf({}), requestIdOf({}));
});
