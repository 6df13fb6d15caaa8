import type { DaemonEvent, Transcript } from '../daemon/events.ts';

export const transcript: Transcript = {
  id: 'boot-1',
  seq: 1,
  text: 'turn on the lamp',
  language: 'en',
  start: '2026-11-22T10:00:00.000Z',
  end: '2026-11-22T10:00:02.000Z',
  durationMs: 2000,
  latencyMs: 400,
  rtf: 0.2,
  confidence: 0.9,
  model: 'embedded',
  provider: 'cpu',
  microphone: 'default',
};

/** One of each: a new type of event breaks the build here until tests have one. */
export const everyEvent: { readonly [T in DaemonEvent['type']]: Extract<DaemonEvent, { type: T }> } = {
  'speech-started': { type: 'speech-started', atMs: 1 },
  'speech-ended': { type: 'speech-ended', atMs: 2 },
  transcript: { type: 'transcript', transcript },
  partial: {
    type: 'partial',
    partial: { id: 'boot-1', rev: 2, text: 'turn on the', stableChars: 7, language: 'en' },
  },
  'segment-empty': { type: 'segment-empty', segmentId: 's', durationMs: 500, rejected: 'no-speech' },
  'segment-dropped': { type: 'segment-dropped', segmentId: 's', durationMs: 500, reason: 'queue-full' },
  fault: { type: 'fault', component: 'broker', code: 'BROKER_UNREACHABLE', message: 'gone', hint: 'wait' },
  recovered: { type: 'recovered', component: 'broker', message: 'back' },
  microphone: { type: 'microphone', state: 'listening', device: 'default' },
  overrun: { type: 'overrun', lostMs: 120 },
  level: { type: 'level', levelDbfs: -40, atMs: 3 },
  recognizer: { type: 'recognizer', state: 'ready' },
  provider: {
    type: 'provider',
    requested: 'auto',
    active: 'cpu',
    reason: 'the only one here',
    model: 'embedded',
    modelSha256: 'ab'.repeat(32),
  },
  queue: { type: 'queue', depthS: 1.5, oldestMs: 900 },
  broker: { type: 'broker', state: 'online', url: 'mqtt://host' },
  outbox: { type: 'outbox', depth: 2, dropped: 0 },
  mute: { type: 'mute', muted: true },
  reply: { type: 'reply', reply: { id: 'boot-1', recipient: 'home', text: 'the lamp is on' } },
  settings: { type: 'settings', language: 'en', model: 'embedded', microphone: 'default' },
  ready: { type: 'ready', sinceStartMs: 800 },
};
