/**
 * One recognizer for the daemon's own microphone and for guests, who bring sound of their own (wyoming.ts): a model is
 * in memory once, whoever asks.
 *
 * The order is fair rather than by rank. The recognizer answers in the order in which it is asked (client.ts), and
 * guests ask one at a time, whoever of them is next: a final of the microphone waits for at most one segment of a
 * guest, and a guest for those before it and at most as many finals. Had the microphone a right of way, a noisy room
 * would keep Assist from ever being answered; had guests, one of them could keep the room from being heard.
 *
 * Work ahead of time gives way to guests as it does to finals (ahead.ts): while one is here, there is none.
 */
import type { Recognition, Recognizer, Utterance } from '../events.ts';

export type SharedRecognizer = {
  /** For the pipeline. */
  readonly own: Recognizer;
  /**
   * For everybody else: any number may ask at once. Rejects as `Recognizer.transcribe` does for a final, and when
   * `signal` aborts before it is their turn.
   */
  readonly guest: (utterance: Utterance, signal: AbortSignal) => Promise<Recognition>;
};

export function shareRecognizer(recognizer: Recognizer): SharedRecognizer {
  let guests = 0;
  let lastGuest: Promise<unknown> = Promise.resolve();
  return {
    own: {
      async transcribe(utterance, urgency) {
        if (urgency === 'ahead' && guests > 0) throw new Error('the recognizer works for a guest');
        return recognizer.transcribe(utterance, urgency);
      },
      close: () => recognizer.close(),
    },
    guest(utterance, signal) {
      guests++;
      const answer = lastGuest.then(() => {
        signal.throwIfAborted();
        return recognizer.transcribe(utterance);
      });
      lastGuest = answer
        .catch(() => undefined)
        .finally(() => {
          guests--;
        });
      return answer;
    },
  };
}
