import type { Message } from '../../broker-connection.ts';
import type { Settings } from '../../events.ts';
import { Fault, toFault } from '../../faults.ts';
import type { Answer, Topics } from '../../mqtt-contract.ts';

/** What a message on one of our command topics asks for. Anyone on the broker can send one: nothing in it is trusted. */
export type Command =
  | { readonly type: 'mute'; readonly muted: boolean }
  | { readonly type: 'set'; readonly name: keyof Settings; readonly value: string }
  | {
      readonly type: 'request';
      readonly name: string;
      /** What its payload is in JSON, the text of it where it is none, or undefined for an empty one. */
      readonly body: unknown;
      readonly transaction: string | number | undefined;
      readonly correlationData: Buffer | undefined;
    }
  /** Not obeyed. `reason` has no part of the payload in it. */
  | { readonly type: 'ignored'; readonly topic: string; readonly reason: string };

/** A list of 1000 key terms may be this long; nothing else is. */
const maxPayloadBytes = 64 * 1024;
/** A path may be a model. */
const maxValueLength = 1024;
/** Commands that are being carried out, or wait for it. Nobody at a keyboard gets there. */
const mostAtOnce = 16;

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
  const name = settingOf(topic, topics);
  if (name !== undefined) {
    const value = payload.toString('utf8').trim();
    if (value === '' || value.length > maxValueLength || /\p{C}/u.test(value)) {
      return ignored(`expected a ${name}, got something else of ${payload.length} bytes`);
    }
    return { type: 'set', name, value };
  }
  return parseRequest(message, topics) ?? ignored('expected a command name of a-z and -');
}

function settingOf(topic: string, topics: Topics): keyof Settings | undefined {
  switch (topic) {
    case topics.languageSet:
      return 'language';
    case topics.modelSet:
      return 'model';
    case topics.microphoneSet:
      return 'microphone';
    default:
      return undefined;
  }
}

function parseRequest({ topic, payload, correlationData }: Message, topics: Topics): Command | undefined {
  if (!topic.startsWith(topics.request)) return undefined;
  const name = topic.slice(topics.request.length);
  // the name becomes part of the topic we answer on
  if (!/^[a-z][a-z-]{0,31}$/.test(name)) return undefined;
  const body = bodyOf(payload.toString('utf8'));
  return { type: 'request', name, body, transaction: transactionOf(body), correlationData };
}

function bodyOf(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function transactionOf(body: unknown): string | number | undefined {
  if (typeof body !== 'object' || body === null || !('transaction' in body)) return undefined;
  const { transaction } = body;
  if (typeof transaction === 'number') return transaction;
  return typeof transaction === 'string' && transaction.length <= 128 ? transaction : undefined;
}

type Request = Extract<Command, { type: 'request' }>;

/** What a request does: takes its body, answers its data. Throws or rejects with a `Fault`. */
export type Requests = Readonly<Record<string, (body: unknown) => unknown>>;

/** Does what a request asks for. Never rejects: what goes wrong is the answer, with code and hint in its data. */
export async function answerTo(
  { name, body, transaction }: Request,
  requests: Requests,
  inBounds: Bounds,
): Promise<Answer> {
  const echo = transaction === undefined ? {} : { transaction };
  try {
    const request = Object.hasOwn(requests, name) ? requests[name] : undefined;
    if (request === undefined) {
      const known = Object.keys(requests).join(', ');
      throw new Fault('COMMAND_INVALID', `there is no command ${name}`, `there are ${known}`);
    }
    return { status: 'ok', data: (await inBounds(async () => request(body))) ?? {}, ...echo };
  } catch (thrown) {
    const { code, message, hint } = toFault(thrown);
    return { status: 'error', data: { code, hint }, error: `${code}: ${message}`, ...echo };
  }
}

type Bounds = <T>(work: () => Promise<T>) => Promise<T>;

/** Lets so many commands through at a time; who asks for more is turned down, and nothing grows. */
export function bounded(most = mostAtOnce): Bounds {
  let atOnce = 0;
  return async (work) => {
    if (atOnce >= most) {
      throw new Fault('COMMAND_BUSY', `${atOnce} commands are being carried out`, 'ask again later');
    }
    atOnce += 1;
    try {
      return await work();
    } finally {
      atOnce -= 1;
    }
  };
}

/** Fit for a log: no control characters, no length to speak of. */
function printable(text: string): string {
  return text.slice(0, 120).replace(/\p{C}/gu, '?');
}
