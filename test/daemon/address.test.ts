import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isLoopback, parseHttpAddress } from '../../daemon/address.ts';

const test = suite('daemon/address');

test('parts host and port', () => {
  assert.equal(parseHttpAddress('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.equal(parseHttpAddress('[::1]:0'), { host: '::1', port: 0 });
  assert.equal(parseHttpAddress('kitchen.lan:65535'), { host: 'kitchen.lan', port: 65_535 });
  assert.equal(parseHttpAddress(':80'), { host: '::', port: 80 });
  for (const text of [
    '',
    '80',
    'a',
    'a:',
    'a:65536',
    'a:-1',
    '[::1:80',
    '[zz]:1',
    '[1:2]:1',
    '::1:80',
    'a b:1',
    'u@h:1',
  ])
    assert.is(parseHttpAddress(text), undefined, text);
});

test('knows what only this machine can reach', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.9', '::1']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.evil.example', 'localhost.example', '']) {
    assert.not.ok(isLoopback(host), host);
  }
});

test.run();
