import type { Publication } from '../../broker-connection.ts';
import type { PartialTranscript, Reply, Settings, Transcript } from '../../events.ts';
import type { Answer, HealthMessage, Topics, TranscriptMessage } from '../../mqtt-contract.ts';
import { schemaVersion } from '../../mqtt-contract.ts';
import type { OutboxEntry } from '../../outbox.ts';

export type Publications = ReturnType<typeof publicationsFor>;

/** Every message the daemon sends, with its topic, QoS and retain flag: the table of docs/mqtt.md as code. */
export function publicationsFor(topics: Topics, bootId: string) {
  const json = { contentType: 'application/json', userProperties: { schema: schemaVersion, bootId } };
  const state = (topic: string, payload: string) => ({ topic, payload, qos: 1, retain: true }) as const;
  const news = (topic: string, payload: string) => ({ topic, payload, qos: 1, retain: false }) as const;

  return {
    status: (status: 'online' | 'offline'): Publication => state(topics.status, status),
    mute: (muted: boolean): Publication => state(topics.mute, muted ? 'ON' : 'OFF'),
    language: ({ language }: Settings): Publication => state(topics.language, language),
    model: ({ model }: Settings): Publication => state(topics.model, model),
    microphone: ({ microphone }: Settings): Publication => state(topics.microphone, microphone),
    info: (info: object): Publication => ({ ...state(topics.info, JSON.stringify(info)), ...json }),
    health: (health: HealthMessage, expiryS: number): Publication => ({
      ...state(topics.health, JSON.stringify(health)),
      ...json,
      expiryS,
    }),
    partial: ({ id, rev, text, stableChars }: PartialTranscript): Publication => ({
      topic: topics.transcriptPartial,
      payload: JSON.stringify({ id, rev, text, stableChars }),
      qos: 0,
      retain: false,
      ...json,
      // said too late it would only undo what stands there
      expiryS: 5,
    }),
    speech: (speaking: boolean): Publication => ({
      topic: topics.speech,
      payload: speaking ? 'ON' : 'OFF',
      qos: 0,
      retain: false,
    }),
    answer: (command: string, answer: Answer, correlationData: Buffer | undefined): Publication => ({
      ...news(topics.response + command, JSON.stringify(answer)),
      ...json,
      ...(correlationData === undefined ? {} : { correlationData }),
    }),
    reply: (reply: Reply): Publication => ({ ...news(topics.rasaReply, JSON.stringify(reply)), ...json }),
    event: (entry: OutboxEntry): readonly Publication[] => [{ ...news(topics.event, entry.body), ...json }],
    transcript(entry: OutboxEntry, replayed: boolean): readonly Publication[] {
      const transcript = JSON.parse(entry.body) as Transcript;
      const message: TranscriptMessage = { event_type: 'final', ...transcript, replayed };
      const userProperties = {
        schema: schemaVersion,
        bootId: entry.bootId,
        id: transcript.id,
        seq: String(transcript.seq),
        replayed: String(replayed),
      };
      return [
        {
          ...news(topics.transcript, JSON.stringify(message)),
          contentType: 'application/json',
          userProperties,
        },
        { ...news(topics.transcriptText, transcript.text), contentType: 'text/plain', userProperties },
      ];
    },
  };
}
