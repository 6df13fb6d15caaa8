import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerLink } from '../../../../daemon/broker-connection.ts';
import { keepRetained, type Retained } from '../../../../daemon/sinks/mqtt/retained.ts';
import { eventually } from '../../../fixtures/daemon-events.ts';

const test = suite('daemon/sinks/mqtt/retained');

/** A broker that passes on what it is told, and forgets when the test says so, without a word to anybody. */
function forgetfulBroker(options: { readable: boolean }) {
  const memory = new Map<string, string>();
  const said = new Map<string, string>();
  const repairs: (readonly string[])[] = [];
  let asked = 0;
  let retained: Retained | undefined;
  function deliver(topic: string, text: string): void {
    if (!options.readable) return;
    retained?.heard({ topic, payload: Buffer.from(text), retained: false, correlationData: undefined });
  }
  const link: BrokerLink = {
    protocol: '5',
    publish: async () => undefined,
    async subscribe(topics) {
      asked += 1;
      for (const topic of topics) if (memory.has(topic)) deliver(topic, memory.get(topic) ?? '');
    },
  };
  function write(topic: string, text: string): void {
    memory.set(topic, text);
    deliver(topic, text);
  }
  function say(topic: string, text: string): void {
    said.set(topic, text);
    write(topic, text);
  }
  retained = keepRetained({
    topics: ['status', 'mute'],
    said: (topic) => said.get(topic),
    link: () => link,
    repair(topics) {
      repairs.push([...topics].sort());
      for (const [topic, text] of said) say(topic, text);
    },
    askEveryMs: 60,
    settleMs: 20,
    repairEveryMs: 150,
  });
  retained.linkChanged(link);
  say('status', 'online');
  say('mute', 'OFF');
  const askedTimes = async (many: number) => {
    const until = asked + many;
    await eventually('asked', () => asked >= until);
    await new Promise((resolve) => setTimeout(resolve, 40));
  };
  return { memory, repairs, write, say, askedTimes, stop: () => retained?.stop() };
}

test('what the broker forgot without a word is found missing and said again; what it has is left alone', async () => {
  const { memory, repairs, askedTimes, stop } = forgetfulBroker({ readable: true });
  await askedTimes(2);
  assert.equal(repairs, []);
  memory.delete('mute');
  await eventually('repaired', () => memory.get('mute') === 'OFF');
  memory.clear();
  await eventually('repaired', () => memory.size === 2);
  assert.equal(repairs, [['mute'], ['mute', 'status']]);
  await askedTimes(2);
  assert.is(repairs.length, 2);
  stop();
});

test('what somebody else wrote is set right soon, an echo of our own is not mistaken for that', async () => {
  const { memory, repairs, write, say, askedTimes, stop } = forgetfulBroker({ readable: true });
  for (let i = 0; i < 50; i++) say('mute', i % 2 === 0 ? 'ON' : 'OFF');
  await askedTimes(1);
  assert.equal(repairs, []);
  write('status', 'offline');
  await eventually('set right', () => memory.get('status') === 'online');
  assert.equal(repairs, [['status']]);
  stop();
});

test('with somebody who insists there is no war', async () => {
  const { memory, repairs, write, stop } = forgetfulBroker({ readable: true });
  const startedAtMs = performance.now();
  const other = setInterval(() => {
    if (memory.get('status') === 'online') write('status', 'offline');
  }, 5);
  await eventually('three repairs', () => repairs.length >= 3);
  assert.ok(performance.now() - startedAtMs >= 280, 'each 150 ms after the one before');
  clearInterval(other);
  await eventually('the last word', () => memory.get('status') === 'online');
  stop();
});

test('where nothing of ours can be heard, nothing is missed', async () => {
  const { memory, repairs, askedTimes, stop } = forgetfulBroker({ readable: false });
  memory.clear();
  await askedTimes(3);
  assert.equal(repairs, []);
  stop();
});

test.run();
