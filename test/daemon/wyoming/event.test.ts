import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteReader } from '../../../daemon/capture/bytes.ts';
import { encodeEvent, readEvent, type WyomingEvent } from '../../../daemon/wyoming/event.ts';
import { faultOf } from '../../faults.ts';
import { eventBytes } from '../../fixtures/wyoming.ts';

async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** What is read of bytes that come in pieces of so many. */
async function read(bytes: Buffer | string, length = 1000): Promise<WyomingEvent[]> {
  const reader = new ByteReader(inPieces(Buffer.from(bytes), length));
  const events: WyomingEvent[] = [];
  for (;;) {
    const event = await readEvent(reader);
    if (event === undefined) return events;
    events.push(event);
  }
}

const test = suite('wyoming/event');

test('reads header, data and payload, however they are cut', async () => {
  const sound = Buffer.from('so\nund{"');
  const bytes = Buffer.concat([
    eventBytes('describe'),
    eventBytes('audio-chunk', { rate: 16_000, text: 'ä\n' }, sound),
    // as versions before 1.2 wrote it, and with what was added later
    Buffer.from('{"type": "ping", "data": {"text": "a"}, "data_length": null, "future": [1]}\n'),
    Buffer.from('{"type":"both","data":{"a":1,"b":1},"data_length":7}\n{"b":2}'),
  ]);
  for (const length of [1, 2, 5, 1000]) {
    const events = await read(bytes, length);
    assert.equal(
      events.map(({ type, data }) => [type, data]),
      [
        ['describe', {}],
        ['audio-chunk', { rate: 16_000, text: 'ä\n' }],
        ['ping', { text: 'a' }],
        ['both', { a: 1, b: 2 }],
      ],
    );
    assert.equal(events[1]?.payload.toString(), sound.toString());
  }
});

test('reads what it writes', async () => {
  const data = { text: 'größer "als"\n', nested: { list: [1, null] } };
  const events = await read(
    Buffer.concat([encodeEvent('pong', data), encodeEvent('transcript-stop', {})]),
    3,
  );
  assert.equal(
    events.map((event) => [event.type, event.data]),
    [
      ['pong', data],
      ['transcript-stop', {}],
    ],
  );
});

test('a stream that ends in the middle of an event has no more events', async () => {
  const whole = eventBytes('audio-chunk', { rate: 16_000 }, Buffer.alloc(10));
  for (let length = 0; length < whole.length; length++) {
    assert.equal(await read(whole.subarray(0, length)), [], `${length} bytes`);
  }
  assert.is((await read(whole)).length, 1);
});

test('what is no event is refused, with what was expected', async () => {
  const cases: [what: string, bytes: string, message: RegExp][] = [
    ['no JSON', 'GET / HTTP/1.1\r\n', /header of an event is JSON/],
    ['an empty line', '\n', /header of an event is JSON/],
    ['no object', '[1]\n', /JSON object/],
    ['null', 'null\n', /JSON object/],
    ['no type', '{}\n', /type of an event is a text, got undefined/],
    ['a type that is a number', '{"type":1}\n', /type of an event is a text, got number/],
    [
      'a negative length',
      '{"type":"a","data_length":-1}\n',
      /data_length is a whole number up to 262144, got "-1"/,
    ],
    ['half a byte', '{"type":"a","payload_length":0.5}\n', /payload_length is a whole number up to 1048576/],
    ['a length in words', '{"type":"a","payload_length":"12"}\n', /payload_length/],
    ['a length above all limits', '{"type":"a","payload_length":1e300}\n', /payload_length/],
    ['too much data', '{"type":"a","data_length":262145}\n', /data_length/],
    ['too long a payload', '{"type":"a","payload_length":1048577}\n', /payload_length/],
    ['data that is a list', '{"type":"a","data":[]}\n', /data of "a" is an object/],
    ['data that is no JSON', '{"type":"a","data_length":2}\n{]', /data of "a" is JSON/],
    ['a header without end', `{"type":"${'a'.repeat(17_000)}`, /a line of at most 16384 bytes/],
  ];
  for (const [what, bytes, message] of cases) {
    const fault = await faultOf(() => read(bytes));
    assert.is(fault.code, 'WYOMING_REQUEST_INVALID', what);
    assert.match(fault.message, message, what);
    assert.ok(fault.message.length < 200, what);
  }
});

test('a key that JavaScript knows is a key like any other', async () => {
  const [event] = await read(
    '{"type":"a","data":{"__proto__":{"rate":1}},"data_length":21}\n{"__proto__":{"b":2}}',
  );
  assert.is(event?.data['rate'], undefined);
  assert.is(event?.data['b'], undefined);
  assert.is(({} as Record<string, unknown>)['rate'], undefined);
});

test.run();
