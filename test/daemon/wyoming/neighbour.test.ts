import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isNeighbour } from '../../../daemon/wyoming/neighbour.ts';

const test = suite('wyoming/neighbour');

test('addresses of local networks are near, others only in a network of this machine', () => {
  for (const near of [
    '127.0.0.1',
    '::1',
    '10.20.30.40',
    '172.31.255.255',
    '192.168.1.5',
    '169.254.3.4',
    'fe80::1%eth0',
    'fd12:3456::1',
    '::ffff:192.168.1.5',
    '::ffff:127.0.0.1',
  ]) {
    assert.ok(isNeighbour(near, []), near);
  }
  for (const far of [
    '8.8.8.8',
    '172.32.0.1',
    '192.169.0.1',
    '2001:db8::5',
    '::ffff:8.8.8.8',
    '',
    'kitchen',
  ]) {
    assert.not(isNeighbour(far, []), far);
  }
  const own = ['203.0.113.7/24', '2001:db8:0:1::7/64'];
  assert.ok(isNeighbour('203.0.113.9', own));
  assert.ok(isNeighbour('::ffff:203.0.113.9', own));
  assert.ok(isNeighbour('2001:db8:0:1::9', own));
  assert.not(isNeighbour('203.0.114.9', own));
  assert.not(isNeighbour('2001:db8:0:2::9', own));
});

test('this machine is near to itself', () => {
  assert.ok(isNeighbour('127.0.0.1'));
});

test.run();
