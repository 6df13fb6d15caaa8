import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from '../../../../daemon/broker-connection.ts';
import { topicsOf } from '../../../../daemon/mqtt-contract.ts';
import { answerTo, parseCommand } from '../../../../daemon/sinks/mqtt/commands.ts';

const test = suite('daemon/sinks/mqtt/commands');
const topics = topicsOf('harkd/x');

function parse(topic: string, payload: string | Buffer, retained = false) {
  const message: Message = { topic, payload: Buffer.from(payload), retained, correlationData: undefined };
  return parseCommand(message, topics);
}

test('mute is ON or OFF, in any case, with space around', () => {
  for (const payload of ['ON', 'on', ' On\n']) {
    assert.equal(parse(topics.muteSet, payload), { type: 'mute', muted: true });
  }
  assert.equal(parse(topics.muteSet, 'OFF'), { type: 'mute', muted: false });
});

test('nothing else is a mute', () => {
  for (const payload of [
    '',
    'O',
    'ONN',
    'O\0N',
    'true',
    '1',
    '{"state":"ON"}',
    'ＯＮ',
    Buffer.from([0xff, 0xfe]),
  ]) {
    assert.is(parse(topics.muteSet, payload).type, 'ignored', String(payload));
  }
});

test('what is retained is ignored whatever it says', () => {
  assert.is(parse(topics.muteSet, 'OFF', true).type, 'ignored');
  assert.is(parse(`${topics.request}ping`, '', true).type, 'ignored');
});

test('the topic we answer on cannot be chosen freely', () => {
  for (const name of ['', '../x', 'a b', 'ping/x', '#', 'PING', `a${'b'.repeat(40)}`, 'pi\nng']) {
    const command = parse(`${topics.request}${name}`, '');
    assert.is(command.type, 'ignored', name);
    if (command.type === 'ignored') assert.not.match(command.topic, /\p{C}/u);
  }
});

test('a transaction is echoed if it is a short string or a number', async () => {
  const transactionOf = async (payload: string) => {
    const command = parse(`${topics.request}ping`, payload);
    assert.ok(command.type === 'request');
    return (await answerTo(command, { ping: () => ({}) })).transaction;
  };
  assert.is(await transactionOf('{"transaction":"a"}'), 'a');
  assert.is(await transactionOf('{"transaction":7}'), 7);
  for (const payload of [
    '',
    'a',
    'null',
    '7',
    '{"transaction":{}}',
    `{"transaction":"${'x'.repeat(129)}"}`,
  ]) {
    assert.is(await transactionOf(payload), undefined, payload);
  }
});

/** mulberry32: a seed and a few operations make a reproducible stream. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('five thousand hostile messages: none throws, and only a live ON or OFF mutes', async () => {
  const random = randomOf(20261122);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const seeds = [
    'ON',
    'OFF',
    '{"transaction":"',
    '{"transaction":1e999}',
    '[[[[',
    '\u0000',
    '💥',
    '__proto__',
  ];
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.concat([
      Buffer.from(pick(seeds)),
      Buffer.from(Array.from({ length: Math.floor(random() * 12) }, () => Math.floor(random() * 256))),
      random() < 0.01 ? Buffer.alloc(5000, 0x5b) : Buffer.alloc(0),
    ]);
    const payload = random() < 0.2 ? Buffer.from(pick(['ON', 'OFF'])) : bytes;
    const retained = random() < 0.3;
    const topic = pick([
      topics.muteSet,
      `${topics.request}ping`,
      `${topics.request}${bytes.toString('latin1')}`,
    ]);
    const command = parse(topic, payload, retained);
    if (command.type === 'mute') {
      assert.is(retained, false);
      assert.match(payload.toString('latin1').trim(), /^(on|off)$/i);
    }
    if (command.type === 'request') {
      assert.is(retained, false);
      JSON.stringify(await answerTo(command, { ping: () => ({}) }));
    }
  }
});

test.run();
