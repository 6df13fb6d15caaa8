/** What is said to whom, and what of the answer is worth anything. */
import type { Reply, Transcript } from '../../events.ts';
import type { TranscriptMessage } from '../../mqtt-contract.ts';

export type Preset = {
  readonly bodyOf: (transcript: Transcript, replayed: boolean) => string;
  /** Replies in an answer. Throws an Error in words if it is not what it should be. */
  readonly repliesIn: (answer: string | undefined, id: string) => readonly Reply[];
};

/** More are not passed on: nobody answers a sentence with so many. */
const maxReplies = 20;
/** Of what stands in a reply: deep enough for cards and carousels, and no stack is lost in it. */
const maxLevels = 12;

/** The presets by name. `sender` is who speaks, for an assistant that keeps a conversation with each. */
export const presets = {
  /** The message of the topic `transcript`, as it is. Whatever comes back is not looked at. */
  json: (): Preset => ({
    bodyOf: (transcript, replayed) =>
      JSON.stringify({ event_type: 'final', ...transcript, replayed } satisfies TranscriptMessage),
    repliesIn: () => [],
  }),
  /** Rasa's REST channel: https://rasa.com/docs/rasa/connectors/your-own-website#restinput */
  rasa: (sender: string): Preset => ({
    bodyOf: ({ text }) => JSON.stringify({ sender, message: text }),
    repliesIn: rasaReplies,
  }),
} as const;

function rasaReplies(answer: string | undefined, id: string): readonly Reply[] {
  if (answer === undefined) throw new Error('an answer that is too long, too slow, or was cut off');
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    throw new Error('an answer that is not JSON');
  }
  if (!Array.isArray(parsed)) throw new Error('an answer that is no list of replies');
  if (parsed.length > maxReplies) throw new Error(`${parsed.length} replies, more than ${maxReplies}`);
  return parsed.map((reply) => replyOf(reply, id));
}

/** The fields of a message of Rasa (rasa/core/channels/channel.py, CollectingOutputChannel), and no others. */
function replyOf(value: unknown, id: string): Reply {
  if (typeof value !== 'object' || value === null || !isShallow(value, maxLevels)) {
    throw new Error('a reply that is none');
  }
  const {
    recipient_id: recipient,
    text,
    image,
    buttons,
    attachment,
    custom,
  } = value as {
    readonly [field: string]: unknown;
  };
  return {
    id,
    recipient: typeof recipient === 'string' ? recipient : '',
    ...(typeof text === 'string' ? { text } : {}),
    ...(typeof image === 'string' ? { image } : {}),
    ...(Array.isArray(buttons) ? { buttons } : {}),
    ...(attachment === undefined || attachment === null ? {} : { attachment }),
    ...(custom === undefined || custom === null ? {} : { custom }),
  };
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}
