import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MuteSwitch } from '../../daemon/mute.ts';

const test = suite('daemon/mute');

function switchWith(muted: boolean) {
  const changes: boolean[] = [];
  return { mute: new MuteSwitch(muted, (now) => changes.push(now)), changes };
}

test('tells each change once, and wakes who waits for it', () => {
  const { mute, changes } = switchWith(false);
  const { changed } = mute;
  mute.set(true);
  mute.set(true);
  assert.ok(changed.aborted);
  assert.not(mute.changed.aborted);
  mute.set(false);
  mute.set(false);
  assert.equal(changes, [true, false]);
});

test('what a person closed, another program does not open', () => {
  const { mute, changes } = switchWith(true);
  mute.set(true, 'hermes');
  mute.set(false, 'hermes');
  assert.ok(mute.muted);
  mute.set(false);
  assert.equal(changes, [false]);
});

test('a person who mutes while a program has it closed stays muted when that opens it', () => {
  const { mute, changes } = switchWith(false);
  mute.set(true, 'hermes');
  mute.set(true);
  mute.set(false, 'hermes');
  assert.ok(mute.muted);
  assert.equal(changes, [true]);
});

test('a person opens what a program has closed', () => {
  const { mute, changes } = switchWith(false);
  mute.set(true, 'hermes');
  mute.set(false);
  assert.not(mute.muted);
  mute.set(false, 'hermes');
  assert.equal(changes, [true, false]);
});

test.run();
