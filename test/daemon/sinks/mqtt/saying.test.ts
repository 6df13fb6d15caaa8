import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerLink, Publication } from '../../../../daemon/broker-connection.ts';
import { PublishRefused } from '../../../../daemon/broker-trouble.ts';
import { sayingWhatIs } from '../../../../daemon/sinks/mqtt/saying.ts';

const test = suite('daemon/sinks/mqtt/saying');

const about = (topic: string, payload: string): Publication => ({
  topic,
  payload,
  qos: 1,
  retain: topic === 'info',
});

/** A link on which a message is on its way until the test says how it ended. */
function slowLink() {
  const published: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const link: BrokerLink = {
    protocol: '5',
    subscribe: async () => undefined,
    publish: ({ topic, payload }) =>
      new Promise((resolve, reject) => {
        published.push(`${topic} ${payload}`);
        ends.push((error) => (error === undefined ? resolve() : reject(error)));
      }),
  };
  const end = async (error?: Error) => {
    ends.shift()?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { link, published, end };
}

test('of what is, the newest follows when the one before has arrived; other topics do not wait', async () => {
  const { link, published, end } = slowLink();
  const accepted: string[] = [];
  const say = sayingWhatIs({
    link: () => link,
    newestOnly: new Set(['mute']),
    onAccepted: (topic) => accepted.push(topic),
    onRefused: () => assert.unreachable(),
  });
  for (let i = 0; i < 1000; i++) say(about('mute', String(i)));
  for (const payload of ['a', 'b', 'c']) say(about('info', payload));
  assert.equal(published, ['mute 0', 'info a']);
  await end();
  assert.equal(published, ['mute 0', 'info a', 'mute 999']);
  for (let i = 0; i < 3; i++) await end();
  assert.equal(published, ['mute 0', 'info a', 'mute 999', 'info c']);
  assert.equal(accepted, ['mute', 'info', 'mute', 'info']);
  say(about('mute', 'again'));
  assert.is(published.at(-1), 'mute again');
});

test('of what counts each, so many are on their way and no more', async () => {
  const { link, published, end } = slowLink();
  const say = sayingWhatIs({
    link: () => link,
    newestOnly: new Set(),
    onAccepted: () => undefined,
    onRefused: () => undefined,
  });
  for (let i = 0; i < 1000; i++) say(about('response/ping', String(i)));
  assert.is(published.length, 64);
  await end();
  say(about('response/ping', 'later'));
  say(about('response/ping', 'too many'));
  assert.is(published.length, 65);
  assert.is(published.at(-1), 'response/ping later');
});

test('a refusal is told, a lost link is not, and what waited is forgotten with it', async () => {
  const { link, published, end } = slowLink();
  let current: BrokerLink | undefined = link;
  const refused: string[] = [];
  const say = sayingWhatIs({
    link: () => current,
    newestOnly: new Set(['mute']),
    onAccepted: () => undefined,
    onRefused: (topic) => refused.push(topic),
  });
  say(about('mute', '1'));
  await end(new PublishRefused('mute', 135));
  assert.equal(refused, ['mute']);
  say(about('mute', '2'));
  say(about('mute', '3'));
  current = undefined;
  await end(new Error('link lost'));
  say(about('mute', '4'));
  current = link;
  say(about('mute', '5'));
  assert.equal(published, ['mute 1', 'mute 2', 'mute 5']);
  assert.equal(refused, ['mute']);
});

test.run();
