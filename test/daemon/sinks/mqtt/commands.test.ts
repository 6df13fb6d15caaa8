import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from '../../../../daemon/broker-connection.ts';
import { deferred } from '../../../../daemon/deferred.ts';
import { Fault } from '../../../../daemon/faults.ts';
import { topicsOf } from '../../../../daemon/mqtt-contract.ts';
import { answerTo, bounded, parseCommand, type Requests } from '../../../../daemon/sinks/mqtt/commands.ts';
import { faultOf } from '../../../faults.ts';

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

test('a setting is set to a line of text, and to nothing else', () => {
  for (const [topic, name] of [
    [topics.languageSet, 'language'],
    [topics.modelSet, 'model'],
    [topics.microphoneSet, 'microphone'],
  ] as const) {
    assert.equal(parse(topic, ' plughw:CARD=Mic,DEV=0\n'), {
      type: 'set',
      name,
      value: 'plughw:CARD=Mic,DEV=0',
    });
    assert.is(parse(topic, 'de', true).type, 'ignored');
    for (const payload of [
      '',
      ' \n',
      'a\0b',
      'a\nb',
      '\u202e',
      'x'.repeat(1025),
      Buffer.alloc(70_000, 0x61),
    ]) {
      assert.is(parse(topic, payload).type, 'ignored', String(payload).slice(0, 20));
    }
  }
});

test('the body of a request is JSON, the text where it is none, or nothing', () => {
  const bodyOf = (payload: string) => {
    const command = parse(`${topics.request}options`, payload);
    return command.type === 'request' ? command.body : 'ignored';
  };
  assert.equal(bodyOf('{"options":{}}'), { options: {} });
  assert.equal([bodyOf(''), bodyOf(' \n'), bodyOf('now'), bodyOf('7')], [undefined, undefined, 'now', 7]);
});

test('an answer says what was done, or what went wrong and what to do', async () => {
  const requests: Requests = {
    nothing: () => undefined,
    late: async () => ({ n: 1 }),
    wrong: () => {
      throw new Fault('CONFIG_INVALID', 'too much', 'ask for less');
    },
  };
  const ask = (name: string) => {
    const command = parse(`${topics.request}${name}`, '');
    assert.ok(command.type === 'request');
    return answerTo(command, requests, bounded());
  };
  assert.equal(await ask('nothing'), { status: 'ok', data: {} });
  assert.equal(await ask('late'), { status: 'ok', data: { n: 1 } });
  assert.equal(await ask('wrong'), {
    status: 'error',
    data: { code: 'CONFIG_INVALID', hint: 'ask for less' },
    error: 'CONFIG_INVALID: too much',
  });
  for (const name of ['constructor', 'dance']) {
    const { data } = await ask(name);
    assert.equal(data, { code: 'COMMAND_INVALID', hint: 'there are nothing, late, wrong' }, name);
  }
});

test('so many at a time, and room again when one is done', async () => {
  const inBounds = bounded(2);
  const held = [deferred<void>(), deferred<void>()];
  const working = held.map(({ promise }) => inBounds(() => promise));
  assert.is((await faultOf(() => inBounds(async () => undefined))).code, 'COMMAND_BUSY');
  held[0]?.reject(new Error('failed'));
  await working[0]?.catch(() => undefined);
  assert.is(await inBounds(async () => 7), 7);
  held[1]?.resolve();
  await working[1];
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
    return (await answerTo(command, { ping: () => ({}) }, bounded())).transaction;
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
      topics.languageSet,
      topics.microphoneSet,
      `${topics.request}options`,
      `${topics.request}ping`,
      `${topics.request}${bytes.toString('latin1')}`,
    ]);
    const command = parse(topic, payload, retained);
    if (command.type === 'mute') {
      assert.is(retained, false);
      assert.match(payload.toString('latin1').trim(), /^(on|off)$/i);
    }
    if (command.type === 'set') {
      assert.is(retained, false);
      assert.not.match(command.value, /\p{C}/u);
      assert.ok(command.value.length > 0 && command.value.length <= 1024);
    }
    if (command.type === 'request') {
      assert.is(retained, false);
      JSON.stringify(await answerTo(command, { ping: () => ({}) }, bounded()));
    }
  }
});

test.run();
