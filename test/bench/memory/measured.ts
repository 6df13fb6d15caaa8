/** The recognizer process as the daemon starts it, asked as the daemon asks, and what it holds meanwhile. */
import { sampleRateHz } from '../../../daemon/events.ts';
import { Child, ChildLost } from '../../../daemon/recognizer/child.ts';
import { forkRecognizer } from '../../../daemon/recognizer/fork.ts';
import type { RecognizerSetup } from '../../../daemon/recognizer/messages.ts';
import { sleep } from '../../../daemon/waiting.ts';
import { type Memory, readMemory } from '../../peers/memory.ts';
import { randomFrom } from '../../random.ts';

/** What one process held. */
export type ProcessMemory = {
  readonly loaded: Memory;
  /** After its last utterance; the peak counts from the start of the process, loading included. */
  readonly used: Memory;
};

/** The process collects what an answer left after it has given it. */
const settleMs = 300;
/** Other programs may have the machine. */
const deadlineMs = 120_000;

/** `count` lengths in samples, each of `lengthS`, or anywhere between its two ends, drawn from `seed`. */
export function drawLengths(
  count: number,
  lengthS: number | readonly [number, number],
  seed: number,
): number[] {
  const [leastS, mostS] = typeof lengthS === 'number' ? [lengthS, lengthS] : lengthS;
  const random = randomFrom(seed);
  return Array.from({ length: count }, () =>
    Math.round((leastS + (mostS - leastS) * random()) * sampleRateHz),
  );
}

/**
 * Starts a recognizer process, has it recognise a piece of `sound` (mono [-1, 1] at 16 kHz) of each of `lengths`
 * samples, from anywhere in it, one after the other, and ends it. `check` is given each text, to throw if other work
 * was done than was asked for. Rejects with `Fault` if the model cannot be loaded, with `ChildLost` if the process
 * ends by itself, with RangeError for a length that `sound` does not have.
 */
export async function measureProcess(
  setup: RecognizerSetup,
  environment: NodeJS.ProcessEnv,
  sound: Float32Array,
  lengths: readonly number[],
  seed: number,
  check: (text: string) => void,
): Promise<ProcessMemory> {
  const longest = Math.max(...lengths);
  if (longest > sound.length)
    throw new RangeError(`${longest} samples asked for, the sound has ${sound.length}`);
  const child = new Child(forkRecognizer(environment), setup, deadlineMs, () => undefined);
  const settled = async (): Promise<Memory> => {
    await sleep(settleMs);
    if (child.pid === undefined) throw new ChildLost(await child.lost);
    return readMemory(child.pid);
  };
  try {
    await child.loaded;
    const loaded = await settled();
    const random = randomFrom(seed);
    for (const length of lengths) {
      const startSample = Math.floor(random() * (sound.length - length));
      const endSample = startSample + length;
      const samples = sound.slice(startSample, endSample);
      const utterance = { id: String(startSample), startSample, endSample, samples };
      const { text } = await child.transcribe(utterance, deadlineMs);
      check(text);
    }
    return { loaded, used: await settled() };
  } finally {
    await child.close();
  }
}
