/**
 * What harkd says of itself, a line an event, on stderr: stdout belongs to what commands answer.
 * Only `harkd run` imports this file, since pino takes 30 to 50 ms to load on a desktop and much longer on a Pi.
 */
import { pino } from 'pino';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Says one thing. `fields` are for programs: they appear in the json format, `hint` in all. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: 'auto' | 'text' | 'journal' | 'json';
  readonly isTty: boolean;
  /** NO_COLOR is set, to whatever (no-color.org). */
  readonly noColor: boolean;
  /** Takes whole lines. */
  readonly write: (line: string) => void;
};

/** sd-daemon(3): a line that begins with `<N>` is filed under syslog priority N. */
const journalPriority: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
/** Red, yellow, green, grey. */
const colour: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 32, debug: 90 };

type LogRecord = {
  readonly level: LogLevel;
  readonly time: string;
  readonly msg: string;
  readonly hint?: string;
};

/** On one line whatever it holds: the journal would file a second line under another priority. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal would obey them
  return text.replaceAll(/\s*\n\s*/g, '; ').replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

function sentence({ msg, hint }: LogRecord): string {
  return oneLine(hint === undefined || hint === '' ? msg : `${msg} (hint: ${hint})`);
}

function journalLine(record: LogRecord): string {
  return `<${journalPriority[record.level]}>${sentence(record)}\n`;
}

function textLine(record: LogRecord, coloured: boolean): string {
  const timeOfDay = new Date(record.time).toTimeString().slice(0, 8);
  const word = record.level.padEnd(5);
  return `${timeOfDay} ${coloured ? `\u001b[${colour[record.level]}m${word}\u001b[39m` : word} ${sentence(record)}\n`;
}

/** Makes the log. `auto` is text where somebody reads along, and the journal's form everywhere else. */
export function createLog(options: LogOptions): Log {
  const { level, isTty, noColor, write } = options;
  const format = options.format === 'auto' ? (isTty ? 'text' : 'journal') : options.format;
  const line = (json: string): string => {
    if (format === 'json') return json;
    const record = JSON.parse(json) as LogRecord;
    return format === 'journal' ? journalLine(record) : textLine(record, isTty && !noColor);
  };
  const logger = pino(
    {
      level,
      // neither process id nor host name: whoever collects the lines knows both
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json: string) => write(line(json)) },
  );
  return (at, message, fields = {}) => logger[at](fields, message);
}
