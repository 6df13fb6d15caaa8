/** What a broker could send, well-formed to nonsense: bytes for a client that has connected to `base`. */
import { topicsOf } from '../../daemon/mqtt-contract.ts';

const connacks: readonly (readonly number[])[] = [
  [0x20, 0x03, 0x00, 0x00, 0x00],
  [0x20, 0x03, 0x01, 0x00, 0x00],
  // receive maximum 1, and no QoS 1
  [0x20, 0x08, 0x00, 0x00, 0x05, 0x21, 0x00, 0x01, 0x24, 0x00],
  // maximum packet size of 10 bytes
  [0x20, 0x08, 0x00, 0x00, 0x05, 0x27, 0x00, 0x00, 0x00, 0x0a],
  // server keep alive of 0 s, an assigned client id
  [0x20, 0x0a, 0x00, 0x00, 0x07, 0x13, 0x00, 0x00, 0x12, 0x00, 0x01, 0x78],
];

/** Answers a function that makes one stream after the other, the same for the same random numbers. */
export function brokerStreams(random: () => number, base: string): () => Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  function oneOf<T>(items: readonly T[]): T {
    return items[below(items.length)] as T;
  }
  const topics = Object.values(topicsOf(base));
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  };
  function packet(type: number, body: readonly number[]): number[] {
    const length: number[] = [];
    for (let left = body.length; ; left >>= 7) {
      length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
      if (left <= 0x7f) break;
    }
    return [type, ...length, ...body];
  }
  const id = () => [below(3), below(256)];
  const properties = () =>
    oneOf<readonly number[]>([
      [0],
      [0],
      [3, 0x23, 0x00, 0x01],
      [2, 0x01, 0x07],
      [5, 0x09, 0x00, 0x02, 0xff, 0x00],
      [1, 0x7f],
      [200],
    ]);
  function publish(): number[] {
    const qos = oneOf([0, 0, 0, 1, 1, 2, 3]);
    const payload = oneOf(['ON', 'OFF', '{"transaction":1}', 'online', '\0', 'x'.repeat(below(5000))]);
    const topic = oneOf([...topics, 'homeassistant/status', '', '#', 'elsewhere']);
    const flags = (qos << 1) | below(2) | (below(2) << 3);
    return packet(0x30 | flags, [
      ...text(topic),
      ...(qos > 0 ? id() : []),
      ...properties(),
      ...Buffer.from(payload),
    ]);
  }
  const kinds: readonly (() => number[])[] = [
    publish,
    publish,
    publish,
    () => packet(oneOf([0x40, 0x50, 0x62, 0x70]), [...id(), oneOf([0, 0x10, 0x80, 0x92]), ...properties()]),
    () =>
      packet(0x90, [
        ...id(),
        ...properties(),
        ...Array.from({ length: below(6) }, () => oneOf([0, 1, 2, 0x80])),
      ]),
    () => packet(0xb0, [...id(), ...properties(), 0]),
    () => packet(0xd0, []),
    () => packet(0xe0, [oneOf([0, 0x82, 0x8b, 0x8e, 0x93, 0xff]), ...properties()]),
    () => packet(0xf0, [oneOf([0x18, 0x19]), ...properties()]),
    () => [...oneOf(connacks)],
    // what only clients send
    () => packet(oneOf([0x10, 0x82, 0xa2, 0xc0]), [...id(), ...properties()]),
    () =>
      packet(
        below(256),
        Array.from({ length: below(40) }, () => below(256)),
      ),
    () => [0x30, 0xff, 0xff, 0xff, oneOf([0x7f, 0xff])],
  ];
  return () => {
    const hello = random() < 0.95 ? oneOf(connacks) : oneOf(kinds)();
    const bytes = Buffer.from([...hello, ...Array.from({ length: below(12) }, () => oneOf(kinds)()).flat()]);
    if (random() < 0.4) bytes[5 + below(Math.max(1, bytes.length - 5))] = below(256);
    return random() < 0.2 ? bytes.subarray(0, 1 + below(bytes.length)) : bytes;
  };
}
