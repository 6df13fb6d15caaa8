import type { DaemonEvent, Sink } from '../events.ts';

/** As in daemon/log.ts. */
type WriteLog = (
  level: 'error' | 'warn' | 'info' | 'debug',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Faults that pass or are mended without anybody's hands: a warning. All others are errors, until somebody acts. */
const passing = new Set([
  'BROKER_UNREACHABLE',
  'MICROPHONE_BUSY',
  'MICROPHONE_LOST',
  'MICROPHONE_STALLED',
  'RECOGNIZER_CRASHED',
  'RECOGNIZER_TIMEOUT',
  'WEBHOOK_UNREACHABLE',
]);

/** Sound may be lost many times a second on a machine that is too slow: say so once a minute, with the sum. */
const overrunQuietMs = 60_000;

const seconds = (durationMs: number): string => `${(durationMs / 1000).toFixed(1)} s`;

/**
 * Events as log lines, by who must act: `error` the operator, `warn` nobody yet, `info` what changed, `debug`
 * everything else. What was said is private: the text of a transcript, or of a reply to one, appears at `debug` only.
 */
export function logSink(write: WriteLog, nowMs: () => number = () => performance.now()): Sink {
  let lostMs = 0;
  let overrunSaidAtMs = Number.NEGATIVE_INFINITY;
  let outboxDropped = 0;
  let recognizerWasBusy = false;

  function publish(event: DaemonEvent): void {
    switch (event.type) {
      case 'transcript': {
        const { id, seq, text, language, durationMs, latencyMs, rtf, confidence } = event.transcript;
        const numbers = `latency ${Math.round(latencyMs)} ms, rtf ${rtf.toFixed(2)}, confidence ${confidence.toFixed(2)}`;
        write('info', `transcript ${seq}: ${seconds(durationMs)} of ${language}, ${numbers}`, {
          event: event.type,
          ...{ id, seq, language, durationMs, latencyMs, rtf, confidence },
        });
        write('debug', `transcript ${seq} says: ${text}`, { event: event.type, id, seq, text });
        return;
      }
      case 'segment-empty':
        write(
          'debug',
          `${seconds(event.durationMs)} of sound without text: ${event.rejected}`,
          fields(event),
        );
        return;
      case 'segment-dropped':
        write('warn', `${seconds(event.durationMs)} of speech dropped: ${event.reason}`, {
          ...fields(event),
          hint:
            event.reason === 'queue-full' ? 'this machine is too slow for the model: take a smaller one' : '',
        });
        return;
      case 'fault':
        write(
          passing.has(event.code) ? 'warn' : 'error',
          `${event.component}: ${event.code}: ${event.message}`,
          fields(event),
        );
        return;
      case 'recovered':
        write('info', `${event.component} is well again: ${event.message}`, fields(event));
        return;
      case 'microphone':
        // a loss is said by its fault, with the reason
        write(
          event.state === 'opening' || event.state === 'lost' ? 'debug' : 'info',
          `microphone ${event.device}: ${event.state}`,
          fields(event),
        );
        return;
      case 'overrun':
        lostMs += event.lostMs;
        if (nowMs() - overrunSaidAtMs < overrunQuietMs) return;
        overrunSaidAtMs = nowMs();
        write('warn', `lost ${Math.round(lostMs)} ms of sound between the device and harkd`, {
          event: event.type,
          lostMs,
          hint: 'something else keeps this machine busy, or its power supply is weak',
        });
        lostMs = 0;
        return;
      case 'recognizer': {
        // busy and ready take turns with every segment; only what loading and restarts come to is news
        const routine = event.state === 'busy' || (event.state === 'ready' && recognizerWasBusy);
        recognizerWasBusy = event.state === 'busy';
        write(routine ? 'debug' : 'info', `recognizer ${event.state}`, fields(event));
        return;
      }
      case 'provider': {
        const asAsked = event.requested === event.active;
        const level = asAsked || event.requested === 'auto' ? 'info' : 'warn';
        const why = asAsked ? '' : ` (asked for ${event.requested}: ${event.reason})`;
        write(level, `model ${event.model} on ${event.active}${why}`, fields(event));
        return;
      }
      case 'broker':
        write(
          event.state === 'online' ? 'info' : 'debug',
          `broker ${event.url}: ${event.state}`,
          fields(event),
        );
        return;
      case 'outbox': {
        const lost = event.dropped - outboxDropped;
        outboxDropped = event.dropped;
        if (lost > 0)
          write('warn', `outbox is full: ${lost} transcripts given up, ${event.depth} wait`, fields(event));
        else write('debug', `outbox: ${event.depth} wait`, fields(event));
        return;
      }
      case 'mute':
        write('info', event.muted ? 'muted: the microphone is closed' : 'no longer muted', fields(event));
        return;
      case 'reply':
        write('debug', `reply to ${event.reply.id}: ${event.reply.text ?? 'no text'}`, fields(event));
        return;
      case 'settings':
        // who changes them says what has changed
        write(
          'debug',
          `set: language ${event.language}, model ${event.model}, microphone ${event.microphone}`,
          fields(event),
        );
        return;
      case 'ready':
        write('info', `ready after ${Math.round(event.sinceStartMs)} ms`, fields(event));
        return;
      case 'queue':
        write('debug', `queue: ${event.depthS.toFixed(1)} s wait`, fields(event));
        return;
      case 'speech-started':
      case 'speech-ended':
        write('debug', event.type.replace('-', ' '), fields(event));
        return;
      case 'level':
      case 'partial':
        // once a second and more; health has the one, the final of the other follows
        return;
      default:
        event satisfies never;
    }
  }

  return { name: 'log', publish, close: async () => ({ undelivered: 0 }) };
}

/** An event for programs: its own fields, its `type` under a name that does not look like a log's. */
function fields({ type, ...rest }: DaemonEvent): Record<string, unknown> {
  return { event: type, ...rest };
}
