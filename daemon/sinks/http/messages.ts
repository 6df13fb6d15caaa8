/** What goes over `/events`, as documented in docs/http.md. Shared by the server and its pages: types only. */
import type { PartialTranscript, Transcript } from '../../events.ts';
import type { HealthMessage } from '../../mqtt-contract.ts';

/** Why the daemon is not well. `code` is a fault's (docs/errors.md); without one it is a state that should pass. */
export type Reason = {
  readonly component: string;
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
};

/** How long finals took, from the end of speech: `counts[i]` of them at most `boundsMs[i]`, the last one above all. */
export type LatencyCounts = { readonly boundsMs: readonly number[]; readonly counts: readonly number[] };

export type StreamMessages = {
  readonly partial: PartialTranscript;
  /** `ageMs` counts from the moment the text was ready; `replayed` ones were said before the client came. */
  readonly final: Transcript & { readonly ageMs: number; readonly replayed: boolean };
  readonly speech: { readonly speaking: boolean };
  readonly mute: { readonly muted: boolean };
  readonly level: { readonly levelDbfs: number };
  readonly health: {
    readonly well: boolean;
    readonly reasons: readonly Reason[];
    readonly version: string;
    readonly model: string | null;
    readonly latency: LatencyCounts;
    readonly health: HealthMessage;
  };
  /** Nothing happened, and the connection stands. */
  readonly beat: Readonly<Record<string, never>>;
};

export type StreamKind = keyof StreamMessages;
