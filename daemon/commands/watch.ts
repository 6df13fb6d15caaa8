import { accessOf, type BrokerAccess } from '../broker-access.ts';
import { loadConfig } from '../config/config.ts';
import { printable } from '../printable.ts';
import type { Heard } from '../subscriber.ts';
import { follow } from '../subscriber.ts';
import type { CommandContext } from './context.ts';

export type WatchOptions = BrokerAccess & {
  readonly url: string;
  /** The base topic to follow, `+` for all sites: `harkd/+`. */
  readonly base: string;
  /** One JSON object a line, for machines. */
  readonly json: boolean;
  readonly colour: boolean;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
};

/**
 * `harkd watch`: prints what daemons say until `signal` aborts. Lines are only ever appended, so it can be piped,
 * scrolled and copied. Throws `Fault` as `follow` does.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const print = options.json ? jsonLine : linesFor(options.colour);
  for await (const heard of follow(options)) {
    const line = print(heard, new Date());
    if (line !== undefined) options.write(`${line}\n`);
  }
}

export type WatchArguments = {
  readonly config?: string | undefined;
  readonly broker?: string | undefined;
  readonly username?: string | undefined;
  /** One level of a topic: the name of a site, or `+`. */
  readonly site: string;
  readonly json: boolean;
};

/** The command: the broker is the one asked for, else that of the configuration; credentials are the configuration's. */
export async function watchCommand(argv: WatchArguments, context: CommandContext): Promise<void> {
  const { environment, signal, write, stdoutIsTty } = context;
  const { mqtt } = loadConfig({
    path: argv.config,
    environment,
    overrides: { mqtt: { url: argv.broker, username: argv.username } },
  });
  const url = mqtt.url === 'embedded' ? `mqtt://127.0.0.1:${mqtt.embeddedPort}` : mqtt.url;
  const colour = stdoutIsTty && (environment['NO_COLOR'] ?? '') === '';
  await watch({
    ...accessOf(mqtt),
    url,
    base: `harkd/${argv.site}`,
    json: argv.json,
    colour,
    signal,
    write,
  });
}

/** `{receivedAt, type, …}`, everything that is heard. */
export function jsonLine(heard: Heard, at: Date): string {
  const { type, ...rest } = heard;
  const content = 'fault' in rest ? wordsOf(rest.fault) : rest;
  const json = JSON.stringify({ receivedAt: at.toISOString(), type, ...content });
  // JSON leaves 0x7f to 0x9f as they are; to some terminals these are commands
  return json.replace(/[\x7f-\x9f]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function wordsOf({ code, message, hint }: { code: string; message: string; hint: string }) {
  return { code, message, hint };
}

/** For people: time, site, what. Answers a function that remembers what each site last said, to tell only changes. */
export function linesFor(colour: boolean): (heard: Heard, at: Date) => string | undefined {
  const paint = (code: number) => (text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const [bold, dim, red, green, yellow, cyan] = [1, 2, 31, 32, 33, 36].map(paint) as [
    Paint,
    Paint,
    Paint,
    Paint,
    Paint,
    Paint,
  ];
  let siteWidth = 8;
  const lastSaid = new Map<string, string>();

  function line(at: Date, site: string, text: string): string {
    const name = printable(site).slice(0, 24);
    siteWidth = Math.max(siteWidth, name.length);
    return `${dim(clock(at))}  ${bold(name.padEnd(siteWidth))}  ${text}`;
  }
  /** Whether this is news: the same words again on one subject are not. */
  function isNew(site: string, subject: string, words: string): boolean {
    const key = `${subject} ${site}`;
    const before = lastSaid.get(key);
    lastSaid.set(key, words);
    return before !== words;
  }

  return (heard, at) => {
    switch (heard.type) {
      case 'broker':
        return line(
          at,
          '',
          heard.state === 'online' ? dim(`connected to ${heard.url}`) : red('broker is away'),
        );
      case 'trouble':
        return line(at, '', red(`${heard.fault.code}: ${heard.fault.message} (${heard.fault.hint})`));
      case 'missed':
        return line(at, '', red(`${heard.count} messages missed: this terminal is too slow`));
      case 'status': {
        if (!isNew(heard.site, 'status', heard.status)) return undefined;
        return line(at, heard.site, heard.status === 'online' ? green('● online') : red('○ offline'));
      }
      case 'transcript': {
        const { text, start, end, language, latencyMs, confidence, replayed } = heard.transcript;
        const about = [language, `${Math.round(latencyMs)} ms`, `${Math.round(confidence * 100)} %`];
        // what was said an hour ago must not look as if it were said now
        if (replayed) about.push(`replayed, said ${printable(start)}`);
        const endedAt = new Date(end);
        const saidAt = Number.isNaN(endedAt.getTime()) ? at : endedAt;
        return line(saidAt, heard.site, `${printable(text)}  ${dim(`(${printable(about.join(', '))})`)}`);
      }
      case 'speech': {
        const words = heard.speaking ? 'speech' : 'silence';
        // the first OFF after a connect is no news
        const before = lastSaid.get(`speech ${heard.site}`);
        if (!isNew(heard.site, 'speech', words) || (before === undefined && !heard.speaking))
          return undefined;
        return line(at, heard.site, dim(words));
      }
      case 'mute': {
        const before = lastSaid.get(`mute ${heard.site}`);
        if (!isNew(heard.site, 'mute', String(heard.muted)) || (before === undefined && !heard.muted)) {
          return undefined;
        }
        return line(at, heard.site, yellow(heard.muted ? 'muted' : 'listening again'));
      }
      case 'health': {
        const { microphone, recognizer, queue, throttled, cpuTempC, rtf, mqtt } = heard.health;
        const dropped = queue.dropped + mqtt.outboxDropped;
        const states = [
          `microphone ${microphone.state}`,
          // busy is what it is for
          `recognizer ${recognizer.state === 'busy' ? 'ready' : recognizer.state}`,
          ...(throttled.now === true ? ['throttled'] : []),
          ...(dropped > 0 ? [`${dropped} dropped`] : []),
        ];
        if (!isNew(heard.site, 'health', states.join())) return undefined;
        const numbers = [
          ...(cpuTempC === null ? [] : [`${Math.round(cpuTempC)} °C`]),
          ...(rtf.p50 === null ? [] : [`real-time factor ${rtf.p50.toFixed(2)}`]),
          ...(queue.depthS > 0 ? [`${queue.depthS.toFixed(1)} s waiting`] : []),
        ];
        const about = numbers.length > 0 ? `  ${dim(`(${numbers.join(', ')})`)}` : '';
        return line(at, heard.site, `${cyan(printable(states.join(', ')))}${about}`);
      }
      case 'event': {
        const { at: _, type, ...about } = heard.event;
        const words = Object.entries(about).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
        return line(at, heard.site, yellow(printable([`! ${type}`, ...words].join('  '))));
      }
      case 'unreadable':
        return line(at, heard.site, dim(`cannot read ${printable(heard.topic)}`));
      case 'info':
      case 'partial':
        return undefined;
      default:
        heard satisfies never;
        return undefined;
    }
  };
}

type Paint = (text: string) => string;

function clock(at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
