import type { DaemonEvent } from '../../events.ts';
import type { EventMessage } from '../../mqtt-contract.ts';

type Bare<E> = E extends unknown ? Omit<E, 'at'> : never;
/** An event message without its time. */
export type Happening = Bare<EventMessage>;

/**
 * Which events of the daemon are worth a message on the event topic. Answers a function that takes them in order
 * and remembers what it must: that the microphone was lost, that the queue was full, that the recognizer was dead.
 */
export function happenings(): (event: DaemonEvent) => readonly Happening[] {
  let lost = false;
  let overloaded = false;
  let restarting = false;
  let queuedS = 0;
  let lastActive: string | undefined;
  let outboxUnsafe = false;

  return (event) => {
    switch (event.type) {
      case 'microphone': {
        const wasLost = lost;
        lost = event.state === 'lost' || (lost && event.state === 'opening');
        if (lost && !wasLost) return [{ type: 'microphone-lost', device: event.device }];
        if (wasLost && event.state === 'listening')
          return [{ type: 'microphone-back', device: event.device }];
        return [];
      }
      case 'queue':
        queuedS = event.depthS;
        if (queuedS === 0) overloaded = false;
        return [];
      case 'segment-dropped': {
        const { segmentId, durationMs, reason } = event;
        const dropped = { type: 'segment-dropped', segmentId, durationMs, reason } as const;
        if (reason !== 'queue-full' || overloaded) return [dropped];
        overloaded = true;
        return [{ type: 'overload', queuedS }, dropped];
      }
      case 'recognizer': {
        const wasRestarting = restarting;
        restarting = event.state === 'restarting' || (restarting && event.state === 'loading');
        return wasRestarting && event.state === 'ready' ? [{ type: 'recognizer-restarted' }] : [];
      }
      case 'provider': {
        const { requested, active, reason } = event;
        // `auto` on a machine without an NPU is no fallback; a provider that changes while we run is one
        const fallsBack = requested === 'auto' ? (lastActive ?? active) !== active : requested !== active;
        lastActive = active;
        return fallsBack ? [{ type: 'provider-fallback', requested, active, reason }] : [];
      }
      case 'fault': {
        if (event.component !== 'outbox') return [];
        const { code, message } = event;
        if (code === 'OUTBOX_DAMAGED') return [{ type: 'outbox-damaged', message }];
        outboxUnsafe = true;
        return [{ type: 'outbox-unsafe', code, message }];
      }
      case 'recovered': {
        if (event.component !== 'outbox' || !outboxUnsafe) return [];
        outboxUnsafe = false;
        return [{ type: 'outbox-safe' }];
      }
      default:
        return [];
    }
  };
}
