/** Sound as Wyoming's clients send it: raw PCM of the rate, width and channels that they say. */
import { monoOf, type SampleKind } from '../capture/pcm.ts';
import { highestRateHz, lowestRateHz } from '../capture/wav.ts';
import { requestInvalid, type WyomingData } from './event.ts';

export type AudioFormat = {
  readonly sampleRateHz: number;
  readonly kind: SampleKind;
  readonly sampleBytes: number;
  readonly channels: number;
};

/** Microphone arrays have up to 8. */
const mostChannels = 16;

/** By width in bytes. The reference implementation takes all of them for signed (Python's audioop). */
const kinds: readonly (SampleKind | undefined)[] = [undefined, 's8', 's16', 's24', 's32'];

/** The format in the data of `audio-start` or `audio-chunk`. Throws `Fault` WYOMING_REQUEST_INVALID. */
export function audioFormatOf({ rate, width, channels }: WyomingData): AudioFormat {
  const sampleRateHz = wholeNumber('rate', rate, lowestRateHz, highestRateHz);
  const sampleBytes = wholeNumber('width', width, 1, kinds.length - 1);
  return {
    sampleRateHz,
    sampleBytes,
    kind: kinds[sampleBytes] as SampleKind,
    channels: wholeNumber('channels', channels, 1, mostChannels),
  };
}

export function isSameFormat(a: AudioFormat, b: AudioFormat): boolean {
  return a.sampleRateHz === b.sampleRateHz && a.kind === b.kind && a.channels === b.channels;
}

/** Takes payloads that follow one another, cut anywhere. Answers mono [-1, 1] at the rate of the format. */
export function monoDecoder({ kind, sampleBytes, channels }: AudioFormat): (payload: Buffer) => Float32Array {
  const frameBytes = sampleBytes * channels;
  let carried: Buffer = Buffer.alloc(0);
  return (payload) => {
    const bytes = carried.length === 0 ? payload : Buffer.concat([carried, payload]);
    const whole = bytes.length - (bytes.length % frameBytes);
    // a copy: less than a frame must not keep the whole payload
    carried = Buffer.from(bytes.subarray(whole));
    return monoOf(bytes.subarray(0, whole), kind, channels).samples;
  };
}

function wholeNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const got = typeof value === 'number' ? value : typeof value;
  throw requestInvalid(`the ${name} of sound is a whole number of ${least} to ${most}, got ${got}`);
}
