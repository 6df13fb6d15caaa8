import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteReader } from '../../../daemon/capture/bytes.ts';
import { openWav } from '../../../daemon/capture/wav.ts';
import { Fault } from '../../../daemon/faults.ts';
import { chunkOf, s16Of, type WavSpec, wavOf } from '../../fixtures/wav.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const wav = suite('wav');

/** Four samples every format can hold exactly. */
const samples = [0, 0.5, -0.5, -1];

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, pieceSize = bytes.length) {
  const warnings: string[] = [];
  const opened = await openWav(new ByteReader(pieces(bytes, pieceSize)), 'x.wav', (message) => {
    warnings.push(message);
  });
  const heard: number[] = [];
  for await (const chunk of opened.chunks) heard.push(...chunk);
  return { ...opened, heard, warnings };
}

async function faultOf(bytes: Buffer): Promise<Fault> {
  try {
    await read(bytes);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('expected a fault, got sound');
}

type Encoding = { readonly name: string; readonly spec: WavSpec; readonly write: (value: number) => Buffer };

function integerBytes(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeIntLE(value * 2 ** (8 * size - 1), 0, size);
  return bytes;
}
const encodings: readonly Encoding[] = [
  { name: '8-bit', spec: { bits: 8 }, write: (value) => Buffer.from([128 + value * 128]) },
  { name: '16-bit', spec: { bits: 16 }, write: (value) => integerBytes(2, value) },
  { name: '24-bit', spec: { bits: 24 }, write: (value) => integerBytes(3, value) },
  { name: '32-bit', spec: { bits: 32 }, write: (value) => integerBytes(4, value) },
  {
    name: 'float 32',
    spec: { bits: 32, codec: 3 },
    write: (value) => Buffer.from(new Float32Array([value]).buffer),
  },
  {
    name: 'float 64',
    spec: { bits: 64, codec: 3 },
    write: (value) => Buffer.from(new Float64Array([value]).buffer),
  },
];

for (const { name, spec, write } of encodings) {
  wav(`${name} comes out exact, plain and extensible, however it is cut`, async () => {
    const data = Buffer.concat(samples.map(write));
    for (const extensible of [false, true]) {
      for (const pieceSize of [1, 7, 1000]) {
        const { heard, warnings, format } = await read(wavOf(data, { ...spec, extensible }), pieceSize);
        assert.equal(heard, samples);
        assert.equal(warnings, []);
        assert.is(format.bits, spec.bits);
      }
    }
  });
}

wav('channels are mixed by their mean', async () => {
  const { heard, format } = await read(wavOf(s16Of([0.5, 0.25, 0, -0.5, -0.5, 0.25]), { channels: 3 }));
  assert.is(format.channels, 3);
  assert.equal(heard, [0.25, -0.25]);
});

wav('chunks before and after the data are passed over, odd ones with their padding', async () => {
  const extra = [chunkOf('LIST', Buffer.from('odd')), chunkOf('JUNK', Buffer.alloc(100_000))];
  const bytes = Buffer.concat([wavOf(s16Of(samples), { extra }), chunkOf('id3 ', Buffer.alloc(64, 0x55))]);
  for (const pieceSize of [5, 65_536]) assert.equal((await read(bytes, pieceSize)).heard, samples);
});

wav('RF64 and BW64 take their size from ds64, and leave what follows the sound', async () => {
  for (const container of ['RF64', 'BW64'] as const) {
    const bytes = Buffer.concat([wavOf(s16Of(samples), { container }), chunkOf('LIST', Buffer.alloc(40, 1))]);
    const { heard, warnings, declaredMs } = await read(bytes);
    assert.equal(heard, samples);
    assert.equal(warnings, []);
    assert.is(declaredMs, 0.25);
  }
});

wav('a truncated file gives what is there and says so', async () => {
  const bytes = wavOf(s16Of(new Float32Array(16_000)));
  const { heard, warnings, declaredMs } = await read(bytes.subarray(0, 44 + 16_001));
  assert.is(heard.length, 8000);
  assert.is(declaredMs, 1000);
  assert.equal(warnings, ['x.wav: the header promises 1.00 s, the file ends after 0.50 s']);
});

wav('a size the writer to a pipe could not know is read to the end without a word', async () => {
  for (const dataSize of [0xffff_ffff, 0x7fff_f000, 0x8000_0000]) {
    const { heard, warnings, declaredMs } = await read(wavOf(s16Of(samples), { dataSize }));
    assert.equal(heard, samples);
    assert.equal(warnings, []);
    assert.is(declaredMs, undefined);
  }
});

wav('a recording whose header was never finished is read to the end', async () => {
  for (const riffSize of [0, 36]) {
    const { heard, warnings } = await read(wavOf(s16Of(samples), { dataSize: 0, riffSize }));
    assert.equal(heard, samples);
    assert.match(warnings[0] ?? '', 'never finished');
  }
});

wav('float sound beyond full scale is clipped, what is no number is silence and counted', async () => {
  const data = Buffer.from(new Float32Array([2, -2, Number.NaN, Number.POSITIVE_INFINITY, 0.25]).buffer);
  const { heard, warnings } = await read(wavOf(data, { bits: 32, codec: 3 }));
  assert.equal(heard, [1, -1, 0, 1, 0.25]);
  assert.equal(warnings, ['x.wav: 1 samples are not numbers; read as silence']);
});

wav('a wrong frame size is told, and the samples are trusted', async () => {
  const bytes = wavOf(s16Of(samples));
  bytes.writeUInt16LE(9, 32);
  const { heard, warnings } = await read(bytes);
  assert.equal(heard, samples);
  assert.equal(warnings, ['x.wav: says 9 bytes a frame, 1 × 16 bits make 2']);
});

const refusals: readonly [string, Buffer, string, string | RegExp][] = [
  ['no samples', wavOf(Buffer.alloc(0)), 'AUDIO_INVALID', 'x.wav holds no sound'],
  ['only a header', wavOf(s16Of(samples)).subarray(0, 44), 'AUDIO_INVALID', 'holds no sound'],
  ['half a sample', wavOf(Buffer.alloc(1)), 'AUDIO_INVALID', 'holds no sound'],
  ['no data chunk', wavOf(s16Of(samples)).subarray(0, 36), 'AUDIO_INVALID', 'ends before its data'],
  ['no format', chunkOf('RIFF', Buffer.from('WAVE')), 'AUDIO_INVALID', 'ends before its format'],
  [
    'data first',
    chunkOf('RIFF', Buffer.concat([Buffer.from('WAVE'), chunkOf('data', Buffer.alloc(8))])),
    'AUDIO_INVALID',
    'has its sound before its format',
  ],
  ['seven bytes', Buffer.from('RIFFabc'), 'AUDIO_INVALID', 'ends after 7 bytes'],
  ['text', Buffer.from('Hello, I am not a sound.'), 'AUDIO_INVALID', 'does not begin with RIFF'],
  ['0 channels', wavOf(s16Of(samples), { channels: 0 }), 'AUDIO_INVALID', '0 channels'],
  ['0 Hz', wavOf(s16Of(samples), { sampleRateHz: 0 }), 'AUDIO_INVALID', '0 Hz'],
  ['4 GHz', wavOf(s16Of(samples), { sampleRateHz: 4e9 }), 'AUDIO_UNSUPPORTED', 'sampled at 4000000000 Hz'],
  ['12-bit', wavOf(s16Of(samples), { bits: 12 }), 'AUDIO_UNSUPPORTED', '12-bit pcm, 8, 16, 24 or 32'],
  ['MP3', wavOf(Buffer.alloc(64), { codec: 85 }), 'AUDIO_UNSUPPORTED', 'x.wav is MP3'],
  [
    'MP3, extensible',
    wavOf(Buffer.alloc(64), { codec: 85, extensible: true }),
    'AUDIO_UNSUPPORTED',
    'is MP3',
  ],
  ['an unknown codec', wavOf(Buffer.alloc(64), { codec: 0x4242 }), 'AUDIO_UNSUPPORTED', 'WAV codec 0x4242'],
  ['big-endian', Buffer.from('RIFX\0\0\0\0WAVE'), 'AUDIO_UNSUPPORTED', 'RIFX'],
  ['video', Buffer.from('RIFF\0\0\0\0AVI '), 'AUDIO_UNSUPPORTED', 'form "AVI "'],
];
for (const [what, bytes, code, message] of refusals) {
  wav(`refuses ${what}: ${code}`, async () => {
    const fault = await faultOf(bytes);
    assert.is(fault.code, code);
    assert.match(fault.message, message);
  });
}

wav('twenty minutes of sound are read without holding it', async () => {
  const second = s16Of(new Float32Array(16_000).fill(0.25));
  async function* minutes(): AsyncGenerator<Buffer> {
    yield wavOf(Buffer.alloc(0), { dataSize: 1200 * second.length });
    for (let i = 0; i < 1200; i++) yield second;
  }
  const before = process.memoryUsage().arrayBuffers;
  const { chunks } = await openWav(new ByteReader(minutes()), 'x.wav', assert.unreachable);
  let count = 0;
  let mostBytes = 0;
  for await (const chunk of chunks) {
    count += chunk.length;
    mostBytes = Math.max(mostBytes, chunk.byteLength);
  }
  assert.is(count, 1200 * 16_000);
  assert.ok(mostBytes <= 128 * 1024, `${mostBytes} bytes in a piece`);
  // 77 MB became samples; what the collector has not taken yet stays below
  assert.ok(process.memoryUsage().arrayBuffers - before < 60e6);
});

wav('hostile headers end in sound or in a fault, never in a crash (seeded, 2 s)', async () => {
  const random = randomFrom(20_261_122);
  const pick = (most: number): number => Math.floor(random() * most);
  const another = timeBox(2000, 2000);
  let faults = 0;
  let sounds = 0;
  while (faults + sounds < 20_000 && another()) {
    const spec: WavSpec = {
      sampleRateHz: random() < 0.3 ? pick(2 ** 32) : 4000 + pick(90_000),
      channels: random() < 0.2 ? pick(65_536) : pick(4),
      bits: random() < 0.2 ? pick(65_536) : 8 * (1 + pick(8)),
      codec: random() < 0.2 ? pick(65_536) : 1 + 2 * pick(2),
      extensible: random() < 0.5,
      container: (['RIFF', 'RF64', 'BW64'] as const)[pick(3)] ?? 'RIFF',
    };
    const bytes = wavOf(Buffer.from(Array.from({ length: pick(300) }, () => pick(256))), spec);
    for (let flips = pick(6); flips > 0; flips--) {
      // sizes most of all: every chunk's length lies in the first 100 bytes
      const at = pick(Math.min(bytes.length, 100));
      bytes[at] = random() < 0.5 ? pick(256) : 0xff;
    }
    const cut = random() < 0.3 ? bytes.subarray(0, pick(bytes.length)) : bytes;
    try {
      const { heard } = await read(cut, 1 + pick(64));
      sounds += 1;
      assert.ok(heard.length > 0 && heard.length <= cut.length, `${heard.length} samples`);
      assert.ok(heard.every((sample) => sample >= -1 && sample <= 1));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      faults += 1;
    }
  }
  assert.ok(faults > 100 && sounds > 100, `${faults} faults, ${sounds} sounds`);
});

wav.run();
