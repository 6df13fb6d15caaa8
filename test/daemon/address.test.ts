import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isAtHome, isLoopback, parseListenAddress } from '../../daemon/address.ts';

const test = suite('daemon/address');

test('parts host and port', () => {
  assert.equal(parseListenAddress('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.equal(parseListenAddress('[::1]:0'), { host: '::1', port: 0 });
  assert.equal(parseListenAddress('kitchen.lan:65535'), { host: 'kitchen.lan', port: 65_535 });
  assert.equal(parseListenAddress(':80'), { host: '::', port: 80 });
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
    assert.is(parseListenAddress(text), undefined, text);
});

test('knows what only this machine can reach', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.9', '::1']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.evil.example', 'localhost.example', '']) {
    assert.not.ok(isLoopback(host), host);
  }
});

test('knows what is in the house', () => {
  const home = [
    'localhost',
    '::1',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.2',
    '169.254.0.1',
    '100.64.0.1',
    'fe80::1',
    'fd12::1',
    'rasa',
    'rasa.local',
    'Rasa.Home.Arpa',
  ];
  for (const host of home) assert.ok(isAtHome(host), host);
  const away = [
    '8.8.8.8',
    '172.32.0.1',
    '192.169.0.1',
    '100.128.0.1',
    '2001:db8::1',
    'fec0::1',
    'rasa.example',
    'local.example',
    'evil-local.com',
    '',
  ];
  for (const host of away) assert.not.ok(isAtHome(host), host);
});

test.run();
