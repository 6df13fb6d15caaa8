import type { Component, DaemonEvent } from '../../events.ts';
import type { Reason } from './messages.ts';

type State<T extends 'microphone' | 'recognizer' | 'broker'> = Extract<DaemonEvent, { type: T }>['state'];

/** What the pages need to know of the daemon; `Status` of daemon/status.ts is such a thing. */
export type WatchedStatus = {
  readonly muted: boolean;
  readonly speaking: boolean;
  readonly microphone: { readonly state: State<'microphone'> | undefined };
  readonly recognizer: { readonly state: State<'recognizer'> | undefined };
  readonly broker: { readonly state: State<'broker'> | undefined };
  readonly provider?: { readonly active: string; readonly model: string } | undefined;
  readonly faults: {
    readonly [C in Component]?: { readonly code: string; readonly message: string; readonly hint: string };
  };
};

/** A daemon that hears and delivers to its broker is well without these: a disk for transcripts, somebody else's server. */
const besides = new Set(['outbox', 'record', 'webhook', 'webhook-outbox']);

/** A level comes about once a second while sound flows; this much later something stands still. */
const silentTooLongMs = 10_000;

/**
 * Why audio, recognizer and broker are not well; nothing when they are. A daemon that was muted is well: it does
 * what it was told. `silentMs` is the time since sound last arrived, undefined before any did.
 */
export function reasonsOf(status: WatchedStatus, silentMs: number | undefined): Reason[] {
  const reasons: Reason[] = [];
  for (const [component, fault] of Object.entries(status.faults)) {
    // nor are they a reason to restart it: that would lose what it holds
    if (fault !== undefined && !besides.has(component)) reasons.push({ component, ...fault });
  }
  const say = (component: Component, message: string | undefined): void => {
    if (message !== undefined && status.faults[component] === undefined) reasons.push({ component, message });
  };
  say('microphone', microphoneTrouble(status, silentMs));
  say('recognizer', recognizerTrouble(status.recognizer.state));
  const broker = status.broker.state;
  say('broker', broker === 'online' ? undefined : broker === 'offline' ? 'is away' : 'is being connected to');
  return reasons;
}

function microphoneTrouble({ muted, microphone }: WatchedStatus, silentMs: number | undefined) {
  switch (microphone.state) {
    case 'listening':
      return silentMs !== undefined && silentMs > silentTooLongMs
        ? `no sound has arrived for ${Math.round(silentMs / 1000)} s`
        : undefined;
    case 'muted':
      return undefined;
    case 'ended':
      return 'the source of sound has ended';
    case 'lost':
      return 'is lost';
    default:
      return muted ? undefined : 'is being opened';
  }
}

function recognizerTrouble(state: State<'recognizer'> | undefined): string | undefined {
  switch (state) {
    case 'ready':
    case 'busy':
    case 'unloaded':
      return undefined;
    case 'restarting':
      return 'is being restarted';
    case 'closed':
      return 'is closed';
    default:
      return 'is loading the model';
  }
}
