import type { Message } from '../../broker-connection.ts';
import type { Answer, Topics } from '../../mqtt-contract.ts';

/** What a message on one of our command topics asks for. Anyone on the broker can send one: nothing in it is trusted. */
export type Command =
  | { readonly type: 'mute'; readonly muted: boolean }
  | {
      readonly type: 'request';
      readonly name: string;
      readonly transaction: string | number | undefined;
      readonly correlationData: Buffer | undefined;
    }
  /** Not obeyed. `reason` has no part of the payload in it. */
  | { readonly type: 'ignored'; readonly topic: string; readonly reason: string };

/** No command needs more. */
const maxPayloadBytes = 4096;

/** Reads one message. Total: every topic and every payload has an answer. */
export function parseCommand(message: Message, topics: Topics): Command {
  const { topic, payload } = message;
  const ignored = (reason: string): Command => ({ type: 'ignored', topic: printable(topic), reason });
  // a retained "mute off" would be obeyed again at every start
  if (message.retained) return ignored('retained commands are ignored: send it without retain');
  if (payload.length > maxPayloadBytes) {
    return ignored(`a command has at most ${maxPayloadBytes} bytes, got ${payload.length}`);
  }
  if (topic === topics.muteSet) {
    switch (payload.toString('utf8').trim().toUpperCase()) {
      case 'ON':
        return { type: 'mute', muted: true };
      case 'OFF':
        return { type: 'mute', muted: false };
      default:
        return ignored(`expected ON or OFF, got something else of ${payload.length} bytes`);
    }
  }
  if (!topic.startsWith(topics.request)) return ignored('not a command topic');
  const name = topic.slice(topics.request.length);
  // the name becomes part of the topic we answer on
  if (!/^[a-z][a-z-]{0,31}$/.test(name)) return ignored('expected a command name of a-z and -');
  return {
    type: 'request',
    name,
    transaction: transactionOf(payload),
    correlationData: message.correlationData,
  };
}

/** The answer to a request, `transaction` echoed. */
export function answerTo(request: Extract<Command, { type: 'request' }>, data: () => unknown): Answer {
  const echo = request.transaction === undefined ? {} : { transaction: request.transaction };
  if (request.name === 'ping') return { status: 'ok', data: data(), ...echo };
  return { status: 'error', data: {}, error: `no command ${request.name}: there is ping`, ...echo };
}

function transactionOf(payload: Buffer): string | number | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || !('transaction' in parsed)) return undefined;
  const { transaction } = parsed;
  if (typeof transaction === 'number') return transaction;
  return typeof transaction === 'string' && transaction.length <= 128 ? transaction : undefined;
}

/** Fit for a log: no control characters, no length to speak of. */
function printable(text: string): string {
  return text.slice(0, 120).replace(/\p{C}/gu, '?');
}
