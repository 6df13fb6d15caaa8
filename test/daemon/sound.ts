import { openSound } from '../../daemon/capture/sound.ts';
import type { Frame } from '../../daemon/events.ts';
import { frameSamples } from '../../daemon/events.ts';

/** All of a sound file, mono at 16 kHz. */
export async function soundOf(file: string): Promise<Float32Array> {
  const sound = await openSound(file, {});
  const samples: number[] = [];
  for await (const chunk of sound.chunks) for (const sample of chunk) samples.push(sample);
  await sound.close();
  return Float32Array.from(samples);
}

/** Sound as frames from sample 0 on; the last one is as long as what is left. */
export function* inFrames(sound: Float32Array): Generator<Frame> {
  for (let startSample = 0; startSample < sound.length; startSample += frameSamples) {
    const samples = sound.subarray(startSample, startSample + frameSamples);
    yield { samples, startSample, atMs: startSample / 16 };
  }
}
