/**
 * Several recognizer processes for work that is not live. Two processes of one thread each recognise more in a second
 * than one of two threads: the products of a short utterance are too small to be shared between cores. Another
 * process costs its load time and its memory, so there is one only while enough sound waits to be worth it.
 */
import { type Deferred, deferred } from '../deferred.ts';
import { type Recognition, sampleRateHz, type Utterance } from '../events.ts';
import type { SupervisedRecognizer } from './client.ts';
import type { LoadedModel } from './messages.ts';

export type RecognizerPool = {
  /** As `SupervisedRecognizer.loaded`, of the first. */
  readonly loaded: Promise<LoadedModel>;
  /** Takes any number of utterances at once; started in order, answered as each is done. */
  readonly transcribe: (utterance: Utterance) => Promise<Recognition>;
  readonly pids: () => readonly number[];
  readonly close: () => Promise<void>;
};

/** What a pool needs of a recognizer. */
export type PooledRecognizer = Pick<SupervisedRecognizer, 'loaded' | 'pid' | 'transcribe' | 'close'>;

type Work = { readonly utterance: Utterance; readonly answer: Deferred<Recognition> };

/** A second of a core loads a model; half a minute of sound is seconds of work for all but the smallest. */
const startAboveS = 30;

/** `start` starts one of at most `most` processes. The first is started at once. */
export function recognizerPool(start: () => PooledRecognizer, most: number): RecognizerPool {
  const waiting: Work[] = [];
  const recognizers: PooledRecognizer[] = [];
  let waitingSamples = 0;
  let idle: (() => void)[] = [];
  let closed = false;

  async function work(recognizer: PooledRecognizer): Promise<void> {
    await recognizer.loaded;
    while (!closed) {
      const next = waiting.shift();
      if (next === undefined) {
        await new Promise<void>((wake) => idle.push(wake));
        continue;
      }
      waitingSamples -= next.utterance.samples.length;
      await recognizer.transcribe(next.utterance).then(next.answer.resolve, next.answer.reject);
    }
  }

  function grow(): PooledRecognizer {
    const recognizer = start();
    recognizers.push(recognizer);
    // one that cannot be loaded takes no work; of the first, whoever awaits `loaded` hears why
    work(recognizer).catch(() => undefined);
    return recognizer;
  }

  function wakeAll(): void {
    const woken = idle;
    idle = [];
    for (const wake of woken) wake();
  }

  const first = grow();
  return {
    loaded: first.loaded,
    transcribe(utterance) {
      const answer = deferred<Recognition>();
      waiting.push({ utterance, answer });
      waitingSamples += utterance.samples.length;
      if (recognizers.length < most && waitingSamples > startAboveS * sampleRateHz) grow();
      wakeAll();
      return answer.promise;
    },
    pids: () => recognizers.flatMap((recognizer) => recognizer.pid() ?? []),
    async close() {
      closed = true;
      wakeAll();
      await Promise.all(recognizers.map((recognizer) => recognizer.close()));
    },
  };
}
