/**
 * The Hermes protocol, as far as speech recognition goes: what Snips began and Rhasspy 2 goes on with, so that flows
 * built on it hear harkd. Payloads as in rhasspy-hermes 0.6.2, rhasspyhermes/asr.py; docs/other-houses.md says what
 * harkd makes of them.
 */
import type { Message, Publication } from '../../broker-connection.ts';
import type { Transcript } from '../../events.ts';

export type HermesOptions = {
  /** Which of the house's sites this daemon is. Commands for others are not ours. */
  readonly siteId: string;
};

export type Hermes = {
  /** What to subscribe to. */
  readonly topics: readonly string[];
  /** `hermes/asr/textCaptured`. */
  readonly captured: (transcript: Transcript) => Publication;
  /** `hermes/error/asr`. */
  readonly failed: (fault: { readonly code: string; readonly message: string }) => Publication;
  /** Whether the message was on a topic of ours. */
  readonly heard: (message: Message) => boolean;
  /** A link has come. For whatever reason we were deaf before: who was to say that it is over may have said so meanwhile. */
  readonly linkChanged: () => void;
};

const toggleOn = 'hermes/asr/toggleOn';
const toggleOff = 'hermes/asr/toggleOff';
/** Why it is switched off (AsrToggleReason). Without a reason, or with one nobody knows, off is off and on is on. */
const reasons = ['dialogueSession', 'playAudio', 'ttsSay'];
/** A toggle is two short words. */
const maxPayloadBytes = 4096;

/**
 * Hermes for one daemon. `onToggle` is called when this site is to be deaf, and when it may hear again: when each
 * reason for which it was switched off has been taken back, or one toggle without a reason says so.
 */
export function hermesFor(options: {
  readonly siteId: string;
  readonly onToggle: (deaf: boolean) => void;
  readonly onIgnored: (command: { readonly topic: string; readonly reason: string }) => void;
}): Hermes {
  const { siteId, onToggle, onIgnored } = options;
  const offFor = new Set<string>();
  const news = (topic: string, payload: object): Publication => ({
    topic,
    payload: JSON.stringify(payload),
    qos: 1,
    retain: false,
    contentType: 'application/json',
  });

  function heard(message: Message): boolean {
    const { topic } = message;
    if (topic !== toggleOn && topic !== toggleOff) return false;
    if (message.retained) {
      onIgnored({ topic, reason: 'retained commands are ignored: send it without retain' });
      return true;
    }
    const toggle = toggleOf(message.payload);
    if (toggle === undefined) {
      onIgnored({ topic, reason: 'expected a JSON object with siteId and reason' });
      return true;
    }
    if (toggle.siteId !== siteId) return true;
    if (topic === toggleOff) offFor.add(toggle.reason);
    else if (toggle.reason === '') offFor.clear();
    else offFor.delete(toggle.reason);
    onToggle(offFor.size > 0);
    return true;
  }

  return {
    topics: [toggleOn, toggleOff],
    captured: ({ text, confidence, rtf, durationMs, language }) =>
      news('hermes/asr/textCaptured', {
        text,
        likelihood: confidence,
        // the time it took to recognise it, not to say it
        seconds: Number(((rtf * durationMs) / 1000).toFixed(3)),
        siteId,
        // harkd listens without being asked to, so there is no session, and no wake word that began one
        sessionId: null,
        wakewordId: null,
        // each with a place in time and a confidence of its own, which live transcripts do not have
        asrTokens: null,
        lang: language,
      }),
    failed: ({ code, message }) =>
      news('hermes/error/asr', { error: message, context: code, siteId, sessionId: null }),
    heard,
    linkChanged() {
      if (offFor.size === 0) return;
      offFor.clear();
      onToggle(false);
    },
  };
}

/** What a toggle says, with the defaults of the protocol. Total: undefined for whatever is none. */
function toggleOf(payload: Buffer): { readonly siteId: string; readonly reason: string } | undefined {
  if (payload.length > maxPayloadBytes) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const { siteId = 'default', reason } = parsed as { readonly siteId?: unknown; readonly reason?: unknown };
  if (typeof siteId !== 'string') return undefined;
  return { siteId, reason: reasons.find((known) => known === reason) ?? '' };
}
