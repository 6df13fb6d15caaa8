/** Whether harkd does what it is for: a recording that ships with it is recognised by the recognizer that is at work. */
import { openSound } from './capture/sound.ts';
import type { Recognizer } from './events.ts';
import { Fault, toFault } from './faults.ts';
import { editDistance } from './nearest.ts';
import type { Status } from './status.ts';

export type SelfTest = {
  readonly passed: boolean;
  readonly recognizer: {
    readonly passed: boolean;
    readonly expected: string;
    readonly heard: string | null;
    readonly tookMs: number;
    /** Why there is no text, if there is none. */
    readonly error: string | null;
  };
  readonly microphone: {
    readonly passed: boolean;
    readonly state: string;
    readonly device: string | null;
    readonly levelDbfs: number | null;
  };
  readonly broker: { readonly passed: boolean; readonly state: string };
};

export type SelfTestOptions = {
  /** What is recognised, and what is said in it, in English: nearly every Whisper knows that, whatever is set. */
  readonly recording: { readonly file: string; readonly text: string };
  readonly recognizer: Pick<Recognizer, 'transcribe'>;
  readonly status: () => Status;
};

/** A model may write numbers, commas and capitals as it likes, and mistake a sound: a fifth of the letters at most. */
const mostWrong = 0.2;

/**
 * Makes the test. It may run once at a time: beside it finals have to wait. Nothing it hears is emitted. Rejects with
 * `Fault` COMMAND_BUSY, or of the recording that is not there.
 */
export function selfTest({ recording, recognizer, status }: SelfTestOptions): () => Promise<SelfTest> {
  let running = false;

  async function recognise(): Promise<SelfTest['recognizer']> {
    const samples = await samplesOf(recording.file);
    const startedAtMs = performance.now();
    const told = (heard: string | null, error: string | null) => ({
      expected: recording.text,
      heard,
      tookMs: Math.round(performance.now() - startedAtMs),
      error,
    });
    try {
      const { text } = await recognizer.transcribe({
        id: 'self-test',
        startSample: 0,
        endSample: samples.length,
        samples,
        language: 'en',
      });
      return { passed: isLike(text, recording.text), ...told(text, null) };
    } catch (thrown) {
      const { code, message } = toFault(thrown);
      return { passed: false, ...told(null, `${code}: ${message}`) };
    }
  }

  return async () => {
    if (running) throw new Fault('COMMAND_BUSY', 'a self-test is running', 'wait for its answer');
    running = true;
    try {
      const recognised = await recognise();
      const { muted, microphone, broker, faults } = status();
      const { state = 'closed', device = null, levelDbfs = null } = microphone;
      const hears = muted || (state === 'listening' && faults.microphone === undefined);
      const online = broker.state === 'online';
      return {
        passed: recognised.passed && hears && online,
        recognizer: recognised,
        microphone: { passed: hears, state, device, levelDbfs },
        broker: { passed: online, state: broker.state ?? 'offline' },
      };
    } finally {
      running = false;
    }
  };
}

async function samplesOf(file: string): Promise<Float32Array> {
  const { chunks } = await openSound(file);
  const parts: number[] = [];
  for await (const chunk of chunks) parts.push(...chunk);
  return Float32Array.from(parts);
}

function isLike(heard: string, expected: string): boolean {
  const letters = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  const [a, b] = [letters(heard), letters(expected)];
  return editDistance(a, b) <= mostWrong * b.length;
}
