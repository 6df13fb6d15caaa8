import type { DaemonEvent, Sink, Transcript } from '../events.ts';
import { sleep } from '../waiting.ts';

/** As in daemon/record/writer.ts. */
type Keeper = {
  readonly append: (transcript: Transcript) => void;
  readonly close: () => Promise<void>;
};

/** Keeps finals, and nothing else: what was taken back or never recognised is not in the record. */
export function recordSink({ append, close }: Keeper): Sink {
  return {
    name: 'record',
    publish(event: DaemonEvent) {
      switch (event.type) {
        case 'transcript':
          append(event.transcript);
          return;
        case 'partial':
        case 'segment-empty':
        case 'segment-dropped':
        case 'speech-started':
        case 'speech-ended':
        case 'microphone':
        case 'recognizer':
        case 'provider':
        case 'broker':
        case 'outbox':
        case 'queue':
        case 'overrun':
        case 'level':
        case 'mute':
        case 'reply':
        case 'settings':
        case 'fault':
        case 'recovered':
        case 'ready':
          return;
        default:
          event satisfies never;
      }
    },
    async close(deadlineMs) {
      const inTime = new AbortController();
      await Promise.race([close(), sleep(deadlineMs, inTime.signal)]);
      inTime.abort();
      return { undelivered: 0 };
    },
  };
}
