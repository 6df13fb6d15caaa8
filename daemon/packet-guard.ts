/**
 * Watches the bytes of one direction of one connection for packets that are too long, before anybody has buffered
 * them: the parsers of aedes and MQTT.js wait for a whole packet, and MQTT allows 256 MiB.
 * Fixed header: MQTT 3.1.1 §2.2, one byte of type, then one to four bytes of length, seven bits each.
 *
 * Answers a function that takes the bytes in order, and tells the size of the first packet that is announced to have
 * more than `maxPacketBytes`, header included; undefined as long as there is none.
 */
export function packetSizeGuard(maxPacketBytes: number): (chunk: Uint8Array) => number | undefined {
  let expects: 'type' | 'length' | 'body' = 'type';
  let bodyBytes = 0;
  let lengthBytes = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (expects === 'type') {
        expects = 'length';
        bodyBytes = 0;
        lengthBytes = 0;
        at += 1;
      } else if (expects === 'length') {
        const byte = chunk[at] ?? 0;
        bodyBytes += (byte & 0x7f) * 128 ** lengthBytes;
        lengthBytes += 1;
        at += 1;
        const isLast = (byte & 0x80) === 0;
        const packetBytes = 1 + lengthBytes + bodyBytes;
        if (isLast ? packetBytes > maxPacketBytes : lengthBytes === 4) return packetBytes;
        if (isLast) expects = bodyBytes === 0 ? 'type' : 'body';
      } else {
        const taken = Math.min(bodyBytes, chunk.length - at);
        bodyBytes -= taken;
        at += taken;
        if (bodyBytes === 0) expects = 'type';
      }
    }
    return undefined;
  };
}
