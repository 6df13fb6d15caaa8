import { type Config, hideSecrets } from './config/config.ts';
import { schemaVersion } from './config/schema.ts';
import type { Component, DaemonEvent } from './events.ts';
import type { HealthMessage } from './mqtt-contract.ts';

type Of<T extends DaemonEvent['type']> = Extract<DaemonEvent, { type: T }>;

/** Everything the daemon knows of itself, folded from its events. `undefined` is what nobody has said yet. */
export type Status = {
  readonly sinceStartMs: number | undefined;
  readonly muted: boolean;
  readonly speaking: boolean;
  readonly microphone: {
    readonly state: Of<'microphone'>['state'] | undefined;
    readonly device: string | undefined;
    /** Unix time, by the sample clock. */
    readonly lastAudioAtMs: number | undefined;
    readonly levelDbfs: number | undefined;
    /** Times it came back after it was lost. */
    readonly restarts: number;
    readonly isLost: boolean;
    readonly overruns: number;
  };
  readonly recognizer: { readonly state: Of<'recognizer'>['state'] | undefined; readonly restarts: number };
  readonly provider: Omit<Of<'provider'>, 'type'> | undefined;
  readonly queue: { readonly depthS: number; readonly oldestMs: number; readonly dropped: number };
  readonly broker: { readonly state: Of<'broker'>['state'] | undefined; readonly timesOnline: number };
  readonly outbox: { readonly depth: number; readonly dropped: number };
  readonly transcripts: number;
  /** Of the last finals, oldest first. */
  readonly recent: readonly { readonly rtf: number; readonly latencyMs: number }[];
  /** What is wrong at present. */
  readonly faults: { readonly [C in Component]?: Omit<Of<'fault'>, 'type' | 'component'> };
};

/** Enough for a p95 that means something, few enough to forget what was an hour ago in a talkative house. */
const recentFinals = 100;

export const initialStatus: Status = {
  sinceStartMs: undefined,
  muted: false,
  speaking: false,
  microphone: {
    state: undefined,
    device: undefined,
    lastAudioAtMs: undefined,
    levelDbfs: undefined,
    restarts: 0,
    isLost: false,
    overruns: 0,
  },
  recognizer: { state: undefined, restarts: 0 },
  provider: undefined,
  queue: { depthS: 0, oldestMs: 0, dropped: 0 },
  broker: { state: undefined, timesOnline: 0 },
  outbox: { depth: 0, dropped: 0 },
  transcripts: 0,
  recent: [],
  faults: {},
};

function foldMicrophone(
  before: Status['microphone'],
  { state, device }: Of<'microphone'>,
): Status['microphone'] {
  const cameBack = state === 'listening' && before.isLost;
  return {
    ...before,
    state,
    device,
    // a closed device has no level
    levelDbfs: state === 'listening' ? before.levelDbfs : undefined,
    isLost: state === 'lost' || (before.isLost && state !== 'listening'),
    restarts: before.restarts + (cameBack ? 1 : 0),
  };
}

/** The status after an event. Pure; whatever health says is derived from events and nothing else. */
export function fold(status: Status, event: DaemonEvent): Status {
  const { microphone, queue, broker, recognizer } = status;
  switch (event.type) {
    case 'speech-started':
      return { ...status, speaking: true };
    case 'speech-ended':
      return { ...status, speaking: false };
    case 'transcript': {
      const { rtf, latencyMs } = event.transcript;
      const recent = [...status.recent, { rtf, latencyMs }].slice(-recentFinals);
      return { ...status, transcripts: status.transcripts + 1, recent };
    }
    case 'partial':
    case 'segment-empty':
    case 'reply':
      return status;
    case 'segment-dropped':
      return { ...status, queue: { ...queue, dropped: queue.dropped + 1 } };
    case 'fault': {
      const { component, code, message, hint } = event;
      return { ...status, faults: { ...status.faults, [component]: { code, message, hint } } };
    }
    case 'recovered': {
      const { [event.component]: _, ...faults } = status.faults;
      return { ...status, faults };
    }
    case 'microphone':
      return { ...status, microphone: foldMicrophone(microphone, event) };
    case 'overrun':
      return { ...status, microphone: { ...microphone, overruns: microphone.overruns + 1 } };
    case 'level':
      return {
        ...status,
        microphone: { ...microphone, levelDbfs: event.levelDbfs, lastAudioAtMs: event.atMs },
      };
    case 'recognizer': {
      const restarts = recognizer.restarts + (event.state === 'restarting' ? 1 : 0);
      return { ...status, recognizer: { state: event.state, restarts } };
    }
    case 'provider': {
      const { type: _, ...provider } = event;
      return { ...status, provider };
    }
    case 'queue':
      return { ...status, queue: { ...queue, depthS: event.depthS, oldestMs: event.oldestMs } };
    case 'broker': {
      const cameOnline = event.state === 'online' && broker.state !== 'online';
      return {
        ...status,
        broker: { state: event.state, timesOnline: broker.timesOnline + (cameOnline ? 1 : 0) },
      };
    }
    case 'outbox':
      return { ...status, outbox: { depth: event.depth, dropped: event.dropped } };
    case 'mute':
      return { ...status, muted: event.muted };
    case 'settings':
      return status;
    case 'ready':
      return { ...status, sinceStartMs: event.sinceStartMs };
    default:
      event satisfies never;
      return status;
  }
}

/** What a machine reading gives health; see providers/machine.ts. */
export type HealthReadings = {
  readonly cpuTempC: number | undefined;
  readonly throttled: { readonly now: boolean | undefined; readonly sinceBoot: boolean | undefined };
  readonly load: number | undefined;
  readonly rssMb: number | undefined;
};

/** Rounds for people and for traffic; what is not known is null, as JSON has no undefined. */
function rounded(value: number | undefined, decimals: number): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Number(value.toFixed(decimals));
}

/** Nearest-rank percentile: a value that did occur. Undefined of nothing. */
export function percentile(values: readonly number[], percent: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

function spread(values: readonly number[], decimals: number) {
  return { p50: rounded(percentile(values, 50), decimals), p95: rounded(percentile(values, 95), decimals) };
}

/** The payload of `<base>/health`, as documented in docs/mqtt.md. `uptimeS` and `bootId` are those of this run. */
export function healthPayload(
  status: Status,
  readings: HealthReadings,
  run: { readonly nowMs: number; readonly bootId: string; readonly uptimeS: number },
): HealthMessage {
  const { microphone, recognizer, queue, broker, outbox, recent } = status;
  const silentMs =
    microphone.lastAudioAtMs === undefined ? undefined : Math.max(0, run.nowMs - microphone.lastAudioAtMs);
  return {
    at: new Date(run.nowMs).toISOString(),
    bootId: run.bootId,
    uptimeS: Math.round(run.uptimeS),
    rssMb: rounded(readings.rssMb, 1),
    cpuTempC: rounded(readings.cpuTempC, 1),
    throttled: { now: readings.throttled.now ?? null, sinceBoot: readings.throttled.sinceBoot ?? null },
    load: rounded(readings.load, 2),
    rtf: spread(
      recent.map(({ rtf }) => rtf),
      3,
    ),
    latencyMs: spread(
      recent.map(({ latencyMs }) => latencyMs),
      0,
    ),
    queue: {
      depthS: Number(queue.depthS.toFixed(1)),
      oldestMs: Math.round(queue.oldestMs),
      dropped: queue.dropped,
    },
    microphone: {
      state: microphone.state ?? 'closed',
      device: microphone.device ?? null,
      lastAudioMs: rounded(silentMs, 0),
      levelDbfs: rounded(microphone.levelDbfs, 1),
      restarts: microphone.restarts,
      overruns: microphone.overruns,
    },
    recognizer: {
      state: recognizer.state ?? 'closed',
      provider: status.provider?.active ?? null,
      restarts: recognizer.restarts,
    },
    faults: Object.entries(status.faults).map(([component, fault]) => ({
      component: component as Component,
      ...fault,
    })),
    mqtt: {
      reconnects: Math.max(0, broker.timesOnline - 1),
      outbox: outbox.depth,
      outboxDropped: outbox.dropped,
    },
  };
}

/** What does not change while the daemon runs. */
export type InfoFacts = {
  readonly version: string;
  readonly startedAtMs: number;
  readonly machine: {
    readonly board: string | undefined;
    readonly arch: string;
    readonly cores: number;
    readonly memoryMb: number;
    readonly node: string;
  };
  readonly config: Config;
};

/** The payload of `<base>/info`, as documented in docs/mqtt.md: secrets of the configuration are hidden. */
export function infoPayload(status: Status, { version, startedAtMs, machine, config }: InfoFacts) {
  const { provider } = status;
  return {
    version,
    startedAt: new Date(startedAtMs).toISOString(),
    model: { name: provider?.model ?? config.model, sha256: provider?.modelSha256 ?? null },
    provider: {
      requested: provider?.requested ?? config.provider,
      active: provider?.active ?? null,
      reason: provider?.reason ?? null,
    },
    machine: { ...machine, board: machine.board ?? null, memoryMb: rounded(machine.memoryMb, 0) },
    config: hideSecrets(config),
    configSchemaVersion: schemaVersion,
  };
}

export type InfoPayload = ReturnType<typeof infoPayload>;

/** One line for `systemctl status`: what is wrong, else what goes on. */
export function statusLine(status: Status): string {
  const faults = Object.values(status.faults);
  const work =
    status.sinceStartMs === undefined
      ? 'starting'
      : status.muted
        ? 'muted'
        : `${status.microphone.state ?? 'no microphone'}, ${status.transcripts} transcripts`;
  return [work, ...faults.map(({ code, message }) => `${code}: ${message}`)].join('; ');
}
