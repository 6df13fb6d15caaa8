/**
 * Reads WAV as it comes, from a file or a pipe, holding one block of sound at a time.
 * Sources: Microsoft/IBM RIFF 1991 and "Multiple channel audio data" (WAVE_FORMAT_EXTENSIBLE);
 * EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64), whose `ds64` chunk carries sizes above 4 GiB.
 */
import { Fault } from '../faults.ts';
import type { ByteReader } from './bytes.ts';
import { monoOf, type SampleKind } from './pcm.ts';

export type WavFormat = {
  readonly encoding: 'pcm' | 'float';
  readonly bits: 8 | 16 | 24 | 32 | 64;
  readonly channels: number;
  readonly sampleRateHz: number;
};

export type Wav = {
  readonly format: WavFormat;
  /** How long the header says the sound is; undefined where the writer could not know (a pipe). */
  readonly declaredMs: number | undefined;
  /** Mono in [-1, 1]: the mean of the channels, at `format.sampleRateHz`. */
  readonly chunks: AsyncIterable<Float32Array>;
};

/** Says something the operator should know that does not stop the work. */
export type Warn = (message: string) => void;

/** What a resampler to 16 kHz is asked to take; telephones begin at 8 kHz, converters end at 384 kHz. */
export const lowestRateHz = 4_000;
export const highestRateHz = 384_000;

const unknownSize = 0xffff_ffff;
/** sox writes this size when it cannot seek back to correct it; arecord 0x80000000, ffmpeg 0xffffffff. */
const pipeSize = 0x7fff_f000;
const blockBytes = 64 * 1024;
/** The longest `fmt ` chunk that says anything to us: WAVE_FORMAT_EXTENSIBLE. */
const formatBytes = 40;

/** The codecs met in the wild inside WAV, from mmreg.h, so that a refusal names what was found. */
const codecNames: Readonly<Record<number, string>> = {
  2: 'Microsoft ADPCM',
  6: 'A-law',
  7: 'mu-law',
  17: 'IMA ADPCM',
  32: 'Yamaha ADPCM',
  49: 'GSM 6.10',
  64: 'G.721 ADPCM',
  80: 'MPEG layer 2',
  85: 'MP3',
  255: 'AAC',
  352: 'Windows Media Audio',
  353: 'Windows Media Audio 2',
  8192: 'AC-3',
  61868: 'FLAC',
};

/**
 * Parses the header and hands out the sound. `name` is the file in messages; `warn` hears of what could be read
 * only in part.
 * @throws Fault AUDIO_INVALID when it is not WAV, is broken, or holds no sound; AUDIO_UNSUPPORTED for a codec or
 *   rate that is not read here.
 */
export async function openWav(bytes: ByteReader, name: string, warn: Warn): Promise<Wav> {
  const riff = await bytes.take(12);
  const container = riff.toString('latin1', 0, 4);
  const form = riff.toString('latin1', 8, 12);
  if (riff.length < 12) throw invalid(name, `ends after ${riff.length} bytes, inside its first header`);
  if (container === 'RIFX') throw unsupported(name, 'big-endian WAV (RIFX)');
  if (!['RIFF', 'RF64', 'BW64'].includes(container)) throw invalid(name, 'does not begin with RIFF');
  if (form !== 'WAVE') throw unsupported(name, `a RIFF file of the form ${printable(form)}, not WAVE`);

  let riffBytes = riff.readUInt32LE(4);
  let longDataBytes: number | undefined;
  let format: WavFormat | undefined;
  let position = 12;
  for (;;) {
    const header = await bytes.take(8);
    if (header.length < 8) {
      throw invalid(name, `holds no sound: it ends ${format ? 'before its data' : 'before its format'}`);
    }
    position += 8;
    const id = header.toString('latin1', 0, 4);
    const size = header.readUInt32LE(4);
    if (id === 'data') {
      if (format === undefined) throw invalid(name, 'has its sound before its format');
      const known = size === unknownSize && longDataBytes !== undefined ? longDataBytes : size;
      return openData(bytes, {
        name,
        warn,
        format,
        size: known,
        unfinished: isUnfinished(riffBytes, position),
      });
    }
    const taken = await bytes.take(Math.min(size, formatBytes));
    if (id === 'fmt ') format = parseFormat(taken, name, warn);
    if (id === 'ds64' && taken.length >= 16) {
      riffBytes = safeSize(taken.readBigUInt64LE(0));
      longDataBytes = safeSize(taken.readBigUInt64LE(8));
    }
    const padded = size + (size % 2);
    position += taken.length + (await bytes.skip(padded - taken.length));
  }
}

type Data = {
  readonly name: string;
  readonly warn: Warn;
  readonly format: WavFormat;
  readonly size: number;
  readonly unfinished: boolean;
};

async function openData(bytes: ByteReader, data: Data): Promise<Wav> {
  const { name, warn, format } = data;
  const frameBytes = format.channels * (format.bits / 8);
  const present = (await bytes.peek(frameBytes)).length;
  let limit = data.size;
  if (data.size === 0 && data.unfinished && present > 0) {
    // a recorder that was killed never went back to write its sizes: what follows is the sound
    warn(`${name}: the header was never finished; reading all that follows it`);
    limit = Number.POSITIVE_INFINITY;
  } else if (data.size === unknownSize || data.size === pipeSize) {
    limit = Number.POSITIVE_INFINITY;
  }
  if (limit < frameBytes || present < frameBytes) throw invalid(name, 'holds no sound');
  const declaredMs =
    limit >= pipeSize ? undefined : (Math.floor(limit / frameBytes) / format.sampleRateHz) * 1000;
  return { format, declaredMs, chunks: decodeData(bytes, data, limit, frameBytes, declaredMs) };
}

async function* decodeData(
  bytes: ByteReader,
  { name, warn, format }: Data,
  limit: number,
  frameBytes: number,
  declaredMs: number | undefined,
): AsyncGenerator<Float32Array> {
  const wanted = Math.max(frameBytes, blockBytes - (blockBytes % frameBytes));
  let left = limit === Number.POSITIVE_INFINITY ? limit : limit - (limit % frameBytes);
  let read = 0;
  let broken = 0;
  while (left > 0) {
    // whole frames, but no waiting for a full block: a pipe may deliver a frame at a time
    const ready = (await bytes.peek(frameBytes)).length;
    if (ready < frameBytes) break;
    const piece = await bytes.takeWhole(Math.min(wanted, left), frameBytes);
    const mono = monoOf(piece, sampleKindOf(format), format.channels);
    broken += mono.broken;
    read += mono.samples.length;
    left -= piece.length;
    yield mono.samples;
  }
  if (broken > 0) warn(`${name}: ${broken} samples are not numbers; read as silence`);
  if (declaredMs !== undefined && left > 0) {
    const readMs = (read / format.sampleRateHz) * 1000;
    warn(`${name}: the header promises ${seconds(declaredMs)}, the file ends after ${seconds(readMs)}`);
  }
}

/** WAV's samples of 8 bits have no sign, all others have one. */
function sampleKindOf({ encoding, bits }: WavFormat): SampleKind {
  if (encoding === 'float') return bits === 64 ? 'f64' : 'f32';
  return bits === 8 ? 'u8' : `s${bits as 16 | 24 | 32}`;
}

function parseFormat(chunk: Buffer, name: string, warn: Warn): WavFormat {
  if (chunk.length < 16) throw invalid(name, `has a format of ${chunk.length} bytes, 16 expected`);
  let codec = chunk.readUInt16LE(0);
  const channels = chunk.readUInt16LE(2);
  const sampleRateHz = chunk.readUInt32LE(4);
  const frameBytes = chunk.readUInt16LE(12);
  const bits = chunk.readUInt16LE(14);
  // the codec of WAVE_FORMAT_EXTENSIBLE is the head of its sub-format GUID
  if (codec === 0xfffe && chunk.length >= 26) codec = chunk.readUInt16LE(24);
  const encoding = codec === 1 ? 'pcm' : codec === 3 ? 'float' : undefined;
  if (encoding === undefined) {
    throw unsupported(name, codecNames[codec] ?? `WAV codec 0x${codec.toString(16).padStart(4, '0')}`);
  }
  if (channels === 0) throw invalid(name, 'says it has 0 channels');
  if (sampleRateHz < lowestRateHz || sampleRateHz > highestRateHz) {
    const range = `${lowestRateHz} to ${highestRateHz} Hz expected`;
    if (sampleRateHz === 0) throw invalid(name, `says its sample rate is 0 Hz, ${range}`);
    throw unsupported(name, `sampled at ${sampleRateHz} Hz, ${range}`);
  }
  if (!isSampleSize(encoding, bits)) {
    const sizes = encoding === 'pcm' ? '8, 16, 24 or 32' : '32 or 64';
    throw unsupported(name, `${bits}-bit ${encoding}, ${sizes} bits expected`);
  }
  const expectedFrameBytes = channels * (bits / 8);
  if (frameBytes !== expectedFrameBytes) {
    warn(`${name}: says ${frameBytes} bytes a frame, ${channels} × ${bits} bits make ${expectedFrameBytes}`);
  }
  return { encoding, bits, channels, sampleRateHz };
}

function isSampleSize(encoding: 'pcm' | 'float', bits: number): bits is WavFormat['bits'] {
  return (encoding === 'pcm' ? [8, 16, 24, 32] : [32, 64]).includes(bits);
}

/** A header whose sizes were never filled in says the file ends where its sound begins, or nothing at all. */
function isUnfinished(riffBytes: number, dataStart: number): boolean {
  return riffBytes === 0 || riffBytes === unknownSize || riffBytes + 8 <= dataStart;
}

function safeSize(size: bigint): number {
  return size > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(size);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function printable(text: string): string {
  return JSON.stringify(text);
}

function invalid(name: string, what: string): Fault {
  return new Fault('AUDIO_INVALID', `${name} ${what}`, 'check that the file is a whole WAV recording');
}

function unsupported(name: string, what: string): Fault {
  return new Fault(
    'AUDIO_UNSUPPORTED',
    `${name} is ${what}`,
    'convert it to 16-bit PCM, for example: ffmpeg -i IN -c:a pcm_s16le OUT.wav',
  );
}
