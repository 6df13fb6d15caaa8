/**
 * What users and their automations hold on to: the topics and the shapes of what is said on them. docs/mqtt.md says
 * it in words; a change here is a breaking change.
 */
import type { Component, Transcript } from './events.ts';

/** Sent with JSON messages in MQTT 5 as user property `schema`; counts up when a field changes its meaning. */
export const schemaVersion = '1';

export type Topics = ReturnType<typeof topicsOf>;

/** The topics of one daemon. `base` is `harkd/<site>`. */
export function topicsOf(base: string) {
  return {
    status: `${base}/status`,
    info: `${base}/info`,
    health: `${base}/health`,
    transcript: `${base}/transcript`,
    transcriptText: `${base}/transcript/text`,
    transcriptPartial: `${base}/transcript/partial`,
    speech: `${base}/speech`,
    mute: `${base}/mute`,
    muteSet: `${base}/mute/set`,
    language: `${base}/language`,
    languageSet: `${base}/language/set`,
    model: `${base}/model`,
    modelSet: `${base}/model/set`,
    microphone: `${base}/microphone`,
    microphoneSet: `${base}/microphone/set`,
    event: `${base}/event`,
    requests: `${base}/request/+`,
    request: `${base}/request/`,
    response: `${base}/response/`,
    rasaReply: `${base}/rasa/reply`,
  } as const;
}

/** What names a daemon in Home Assistant, made of its base topic: `harkd/kitchen` is `harkd_kitchen`. */
export function homeAssistantIdOf(base: string): string {
  // other letters by their code point: two daemons must not become one
  return base
    .replaceAll('/', '_')
    .replaceAll(/[^A-Za-z0-9_-]/gu, (letter) => `-${letter.codePointAt(0)?.toString(16)}-`);
}

/** Where the daemon is announced to Home Assistant, retained. */
export function discoveryTopicOf(prefix: string, base: string): string {
  return `${prefix}/device/${homeAssistantIdOf(base)}/config`;
}

/** What names a daemon in Homie unless the configuration does, made of its base topic: `harkd/kitchen` is `harkd-kitchen`. */
export function homieIdOf(base: string): string {
  const id = base
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return id === '' ? 'harkd' : id;
}

/** A final, on `transcript`. `event_type` is what Home Assistant's event entities ask for. */
export type TranscriptMessage = { readonly event_type: 'final' } & Transcript & {
    /** Not live: left over by a run before, told before without an answer, or older than a few seconds. */
    readonly replayed: boolean;
  };

/** On `health`. What cannot be measured is null, never 0: a graph must show a hole, not a calm machine. */
export type HealthMessage = {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly bootId: string;
  readonly uptimeS: number;
  readonly rssMb: number | null;
  readonly cpuTempC: number | null;
  readonly throttled: { readonly now: boolean | null; readonly sinceBoot: boolean | null };
  readonly load: number | null;
  readonly rtf: { readonly p50: number | null; readonly p95: number | null };
  readonly latencyMs: { readonly p50: number | null; readonly p95: number | null };
  readonly queue: { readonly depthS: number; readonly oldestMs: number; readonly dropped: number };
  readonly microphone: {
    readonly state: string;
    readonly device: string | null;
    readonly lastAudioMs: number | null;
    readonly levelDbfs: number | null;
    readonly restarts: number;
    readonly overruns: number;
  };
  readonly recognizer: {
    readonly state: string;
    readonly provider: string | null;
    readonly restarts: number;
  };
  /** What is wrong at present; empty when all is well. `code` as in docs/errors.md. */
  readonly faults: readonly {
    readonly component: Component;
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  }[];
  readonly mqtt: {
    readonly reconnects: number;
    readonly outbox: number;
    readonly outboxDropped: number;
  };
};

/** Something that happened, on `event`. `at` is when, RFC 3339 UTC: after an outage these come late. */
export type EventMessage = { readonly at: string } & (
  | { readonly type: 'microphone-lost' | 'microphone-back'; readonly device: string }
  /** Speech comes in faster than it can be recognised; said once, until the queue has been empty again. */
  | { readonly type: 'overload'; readonly queuedS: number }
  | {
      readonly type: 'segment-dropped';
      readonly segmentId: string;
      readonly durationMs: number;
      readonly reason: string;
    }
  /** The machine slows itself down: too hot, or too little power. */
  | { readonly type: 'throttled'; readonly cpuTempC: number | null }
  | { readonly type: 'recognizer-restarted' }
  /** What was asked on `<command>`, such as `model/set`, was not done. `code` as in docs/errors.md. */
  | {
      readonly type: 'command-refused';
      readonly command: string;
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    }
  | {
      readonly type: 'provider-fallback';
      readonly requested: string;
      readonly active: string;
      readonly reason: string;
    }
  /** Finals were given up. `firstId` to `lastId`, in the order they were said. */
  | {
      readonly type: 'outbox-full';
      readonly reason: 'count' | 'bytes' | 'age';
      readonly dropped: number;
      readonly droppedSinceStart: number;
      readonly firstId: string;
      readonly lastId: string;
    }
  /** Finals that wait are kept in memory only: a crash now would lose them. `code` as in docs/errors.md. */
  | { readonly type: 'outbox-unsafe'; readonly code: string; readonly message: string }
  | { readonly type: 'outbox-safe' }
  /** Some of the finals that a run before left could not be read. */
  | { readonly type: 'outbox-damaged'; readonly message: string }
);

export type Answer = {
  readonly status: 'ok' | 'error';
  readonly data: unknown;
  readonly error?: string;
  readonly transaction?: string | number;
};
