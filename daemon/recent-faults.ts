import type { Component, DaemonEvent, Sink } from './events.ts';

/** A fault, or its end, with its time (RFC 3339, UTC). */
export type RecentFault = {
  readonly at: string;
  readonly component: Component;
  /** As in docs/errors.md; `null` for the end of what went wrong. */
  readonly code: string | null;
  readonly message: string;
};

/** What tells a story without filling a message. */
const remembered = 50;

/** Remembers what went wrong lately, also what is well again: for whoever looks into it later. */
export function recentFaults(): Sink & { readonly list: () => readonly RecentFault[] } {
  const list: RecentFault[] = [];
  return {
    name: 'recent faults',
    publish(event: DaemonEvent) {
      if (event.type !== 'fault' && event.type !== 'recovered') return;
      const { component, message } = event;
      const code = event.type === 'fault' ? event.code : null;
      list.push({ at: new Date().toISOString(), component, code, message });
      if (list.length > remembered) list.shift();
    },
    list: () => [...list],
    close: async () => ({ undelivered: 0 }),
  };
}
