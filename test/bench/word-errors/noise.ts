/** Sounds that are not speech, the same for the same seed, and speech among them. */
import { randomFrom } from '../../random.ts';

const sampleRateHz = 16_000;

export type NoiseSource = (length: number) => Float32Array;

/** Sum of four uniform numbers: near enough to normal, between -2 and 2. */
const normalFrom = (random: () => number) => (): number => random() + random() + random() + random() - 2;

/** Equal power at every frequency. */
export function whiteFrom(seed: number): NoiseSource {
  const normal = normalFrom(randomFrom(seed));
  return (length) => Float32Array.from({ length }, normal);
}

/** 3 dB less an octave, near enough (Paul Kellet's economy filter, musicdsp.org 76). */
export function pinkFrom(seed: number): NoiseSource {
  const normal = normalFrom(randomFrom(seed));
  let [slow, middle, fast] = [0, 0, 0];
  return (length) =>
    Float32Array.from({ length }, () => {
      const white = normal();
      slow = 0.99765 * slow + white * 0.099046;
      middle = 0.963 * middle + white * 0.2965164;
      fast = 0.57 * fast + white * 1.0526913;
      return slow + middle + fast + white * 0.1848;
    });
}

/** 6 dB less an octave above 25 Hz. */
export function brownFrom(seed: number): NoiseSource {
  const normal = normalFrom(randomFrom(seed));
  let at = 0;
  return (length) =>
    Float32Array.from({ length }, () => {
      at = 0.99 * at + normal();
      return at;
    });
}

/** Mains at 50 or 60 Hz with harmonics, a motor's hum that comes and goes; another one every ten seconds. */
export function humFrom(seed: number): NoiseSource {
  const random = randomFrom(seed);
  let at = 0;
  let voices: { hz: number; amplitude: number }[] = [];
  let swellHz = 0;
  return (length) =>
    Float32Array.from({ length }, () => {
      if (at % (10 * sampleRateHz) === 0) {
        const base = random() < 0.5 ? 50 : 60;
        voices = [1, 2, 3, 4, 6, 8, 12].map((harmonic) => ({
          hz: base * harmonic * (1 + 0.002 * random()),
          amplitude: random() / harmonic,
        }));
        swellHz = 0.1 + 3 * random();
      }
      const angle = (2 * Math.PI * at++) / sampleRateHz;
      const swell = 1 + 0.5 * Math.sin(angle * swellHz);
      return swell * voices.reduce((sum, { hz, amplitude }) => sum + amplitude * Math.sin(angle * hz), 0);
    });
}

/** What appliances say: tones and sweeps of 50 ms to a second, 100 to 4000 Hz, with pauses. */
export function tonesFrom(seed: number): NoiseSource {
  const random = randomFrom(seed);
  let left = 0;
  let phase = 0;
  let hz = 0;
  let glide = 1;
  let sounding = false;
  return (length) =>
    Float32Array.from({ length }, () => {
      if (left-- <= 0) {
        sounding = !sounding;
        left = Math.floor(sampleRateHz * (0.05 + 0.95 * random()));
        hz = 100 * 40 ** random();
        glide = random() < 0.3 ? 2 ** ((random() - 0.5) / sampleRateHz) : 1;
        phase = 0;
      }
      if (!sounding) return 0;
      hz *= glide;
      phase += (2 * Math.PI * hz) / sampleRateHz;
      return Math.sin(phase);
    });
}

/** Knocks and clatter: bursts that ring at a few frequencies and die away in 5 to 80 ms, one to five a second. */
export function knocksFrom(seed: number): NoiseSource {
  const random = randomFrom(seed);
  const normal = normalFrom(random);
  let left = 0;
  let at = 0;
  let decay = 0;
  let hz: number[] = [];
  return (length) =>
    Float32Array.from({ length }, () => {
      if (left-- <= 0) {
        left = Math.floor(sampleRateHz * (0.2 + 0.8 * random()));
        at = 0;
        decay = Math.exp(-1 / (sampleRateHz * (0.005 + 0.075 * random())));
        hz = [0, 1, 2].map(() => 150 * 25 ** random());
      }
      const envelope = decay ** at;
      const angle = (2 * Math.PI * at++) / sampleRateHz;
      return envelope * (0.5 * normal() + hz.reduce((sum, one) => sum + Math.sin(angle * one), 0));
    });
}

/** Several people at once: in each of `talkers` places one of `speech` after the other, with short pauses. */
export function babbleFrom(seed: number, speech: readonly Float32Array[], talkers: number): NoiseSource {
  const random = randomFrom(seed);
  const another = (): Float32Array => speech[Math.floor(random() * speech.length)] as Float32Array;
  const places = Array.from({ length: talkers }, () => {
    const of = another();
    // in the midst of a sentence: not all of them begin together
    return { of, at: Math.floor(random() * of.length) };
  });
  return (length) =>
    Float32Array.from({ length }, () => {
      let sum = 0;
      for (const place of places) {
        if (place.at >= place.of.length) {
          place.of = another();
          place.at = -Math.floor(0.2 * random() * sampleRateHz);
        }
        sum += place.of[place.at++] ?? 0;
      }
      return sum;
    });
}

export const powerOf = (sound: Float32Array): number =>
  sound.reduce((sum, x) => sum + x * x, 0) / Math.max(1, sound.length);

/** The sound at a root mean square of so many dB below full scale; what would be beyond is cut off. */
export function atLevel(sound: Float32Array, levelDbfs: number): Float32Array {
  const power = powerOf(sound);
  const gain = power === 0 ? 0 : 10 ** (levelDbfs / 20) / Math.sqrt(power);
  return sound.map((x) => Math.max(-1, Math.min(1, gain * x)));
}

/**
 * `speech` with noise at `snrDb`: its power, silence around it left out, over that of the noise. All of it is made
 * softer where it would not fit into [-1, 1].
 */
export function mix(speech: Float32Array, noise: Float32Array, snrDb: number, silence: number): Float32Array {
  const spoken = powerOf(speech.subarray(silence, speech.length - silence));
  const gain = Math.sqrt(spoken / powerOf(noise) / 10 ** (snrDb / 10));
  const mixed = speech.map((x, i) => x + gain * (noise[i] as number));
  const peak = mixed.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return peak > 1 ? mixed.map((x) => x / peak) : mixed;
}
