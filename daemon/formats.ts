/** A transcribed file as text, JSON or subtitles. Pure; times are milliseconds from the start of the file. */
import type { RecognizedWord } from './events.ts';

export type OutputFormat = 'text' | 'json' | 'srt' | 'vtt';

export type FileSegment = {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly avgLogProb: number;
  readonly noSpeechProb: number | undefined;
  /** In order of time, only if asked for. */
  readonly words?: readonly RecognizedWord[];
};

export type FileResult = {
  readonly file: string;
  readonly text: string;
  readonly language: string;
  readonly durationMs: number;
  readonly segments: readonly FileSegment[];
  readonly model: string;
  readonly provider: string;
  readonly timings: {
    readonly loadMs: number;
    readonly vadMs: number;
    readonly melMs: number;
    readonly encodeMs: number;
    readonly decodeMs: number;
    readonly totalMs: number;
  };
  readonly rtf: number;
};

/** The usual measure of subtitles: 42 characters a line, two lines at a time. */
const lineCharacters = 42;
const cueLines = 2;

/** One appearance on the screen. */
export type Cue = { readonly startMs: number; readonly endMs: number; readonly lines: readonly string[] };

/** Text and when it was said: all that subtitles need. */
export type TimedText = Pick<FileSegment, 'startMs' | 'endMs' | 'text'>;

/** Writes subtitles piece by piece: what each text adds, and what the end does. */
export type SubtitleWriter = {
  readonly segment: (segment: TimedText) => string;
  readonly end: () => string;
};

/** Writes a transcript while it is made: what each segment adds, and what the end does. */
export type TranscriptWriter = {
  readonly segment: (segment: FileSegment) => string;
  /** Told after the last segment. JSON is one object, written here. */
  readonly end: (result: FileResult) => string;
};

/** A writer for one file. Of text and json, several files may follow each other. */
export function transcriptWriter(format: OutputFormat): TranscriptWriter {
  switch (format) {
    case 'text':
      return { segment: ({ text }) => (text === '' ? '' : `${text}\n`), end: () => '' };
    case 'json':
      return { segment: () => '', end: jsonLine };
    case 'srt':
    case 'vtt':
      return subtitleWriter(format);
    default:
      return format satisfies never;
  }
}

/** A writer of subtitles for one file. */
export function subtitleWriter(format: 'srt' | 'vtt'): SubtitleWriter {
  return format === 'srt' ? blockWriter('', srtBlock) : blockWriter('WEBVTT\n', vttBlock);
}

/** The whole result in the format asked for. */
export function formatResult(result: FileResult, format: OutputFormat): string {
  const writer = transcriptWriter(format);
  return result.segments.map(writer.segment).join('') + writer.end(result);
}

/** Blocks with a blank line between them, after a head. */
function blockWriter(head: string, blockOf: (cue: Cue, number: number) => string): SubtitleWriter {
  const cuesOf = cueMaker();
  let written = 0;
  let cues = 0;
  const write = (block: string): string => `${written++ === 0 ? '' : '\n'}${block}`;
  const begin = (): string => (written === 0 && head !== '' ? write(head) : '');
  return {
    segment: (segment) =>
      begin() +
      cuesOf(segment)
        .map((cue) => write(blockOf(cue, ++cues)))
        .join(''),
    end: begin,
  };
}

/** One line a file, so that several files make JSON Lines. What a model does not tell is null: all segments have all keys. */
function jsonLine(result: FileResult): string {
  const segments = result.segments.map((segment) => ({
    ...segment,
    noSpeechProb: segment.noSpeechProb ?? null,
  }));
  const text = JSON.stringify({ ...result, segments }, (key, value: unknown) => {
    if (typeof value !== 'number' || Number.isInteger(value)) return value;
    // more digits than that are noise
    return Number(value.toFixed(key.endsWith('Ms') ? 1 : 4));
  });
  return `${text}\n`;
}

/** `01:02:03,456`; subtitles longer than 99 hours get more digits. */
export function timestamp(ms: number, separator: ',' | '.'): string {
  const rest = (unitMs: number, modulo: number): string =>
    String(Math.floor(ms / unitMs) % modulo).padStart(2, '0');
  const hours = String(Math.floor(ms / 3_600_000)).padStart(2, '0');
  return `${hours}:${rest(60_000, 60)}:${rest(1000, 60)}${separator}${String(ms % 1000).padStart(3, '0')}`;
}

/** Words into lines of at most `lineCharacters`; a longer word, as in scripts without spaces, is cut. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    // by code points: a cut must not leave half of a character
    const characters = Array.from(word);
    const last = lines.at(-1);
    if (last !== undefined && Array.from(last).length + 1 + characters.length <= lineCharacters) {
      lines[lines.length - 1] = `${last} ${word}`;
      continue;
    }
    for (let at = 0; at < characters.length; at += lineCharacters) {
      lines.push(characters.slice(at, at + lineCharacters).join(''));
    }
  }
  return lines;
}

/**
 * Segments as cues in order, none overlapping the next, each at least 1 ms long. A segment that does not fit on
 * the screen becomes several cues, which share its time by their number of characters.
 */
export function cuesOf(segments: readonly FileSegment[]): Cue[] {
  return segments.flatMap(cueMaker());
}

/** Makes cues segment by segment: it remembers where the last one ended. */
function cueMaker(): (segment: TimedText) => Cue[] {
  let previousEndMs = 0;
  return ({ startMs, endMs, text }) => {
    const cues: Cue[] = [];
    const lines = wrap(text);
    const total = lines.reduce((sum, line) => sum + line.length, 0);
    const beginMs = Math.round(startMs);
    let shown = 0;
    for (let at = 0; at < lines.length; at += cueLines) {
      const cue = lines.slice(at, at + cueLines);
      const fromMs = Math.max(previousEndMs, beginMs + Math.round(((endMs - startMs) * shown) / total));
      shown += cue.reduce((sum, line) => sum + line.length, 0);
      const toMs = Math.max(fromMs + 1, beginMs + Math.round(((endMs - startMs) * shown) / total));
      cues.push({ startMs: fromMs, endMs: toMs, lines: cue });
      previousEndMs = toMs;
    }
    return cues;
  };
}

/** SubRip. It has no escapes, so an arrow in the text, which players take for times, is drawn otherwise. */
function srtBlock({ startMs, endMs, lines }: Cue, number: number): string {
  const text = lines.join('\n').replaceAll('-->', '→');
  return `${number}\n${timestamp(startMs, ',')} --> ${timestamp(endMs, ',')}\n${text}\n`;
}

/** WebVTT. Source: W3C WebVTT 1 §4.2.2: `&`, `<` and `>` are escaped, and `-->` may not occur. */
function vttBlock({ startMs, endMs, lines }: Cue): string {
  const text = lines.join('\n').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `${timestamp(startMs, '.')} --> ${timestamp(endMs, '.')}\n${text}\n`;
}
