import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cuesOf, type FileResult, type FileSegment, formatResult, timestamp } from '../../daemon/formats.ts';

function segment(startMs: number, endMs: number, text: string, id = 0): FileSegment {
  return { id, startMs, endMs, text, avgLogProb: -0.123456, noSpeechProb: undefined };
}

function resultOf(...segments: FileSegment[]): FileResult {
  return {
    file: 'talk.wav',
    text: segments.map(({ text }) => text).join('\n'),
    language: 'en',
    durationMs: 10_000,
    segments,
    model: 'embedded',
    provider: 'cpu',
    timings: { loadMs: 1.23456, vadMs: 0, melMs: 0, encodeMs: 0, decodeMs: 0, totalMs: 2 },
    rtf: 0.123456,
  };
}

let seed = 4711;
function below(limit: number): number {
  seed = (seed * 48271) % 2147483647;
  return seed % limit;
}

/** Back from `HH:MM:SS,mmm` by another way than it was written. */
function parseTimestamp(text: string): number {
  const match = /^(\d{2,}):([0-5]\d):([0-5]\d)[,.](\d{3})$/.exec(text);
  assert.ok(match, `not a timestamp: ${text}`);
  const [hours = 0, minutes = 0, seconds = 0, ms = 0] = match.slice(1).map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

type Parsed = { startMs: number; endMs: number; text: string };

/** A reader of SRT as strict as players are: number, times, one or more lines, blank line. */
function parseSrt(srt: string): Parsed[] {
  if (srt === '') return [];
  assert.ok(srt.endsWith('\n'));
  return srt
    .slice(0, -1)
    .split('\n\n')
    .map((block, index) => {
      const [number, times = '', ...lines] = block.split('\n');
      assert.is(number, String(index + 1));
      const [start = '', end = ''] = times.split(' --> ');
      assert.ok(lines.length >= 1 && lines.length <= 2, block);
      for (const line of lines) assert.ok(line.trim() !== '' && Array.from(line).length <= 42, line);
      return { startMs: parseTimestamp(start), endMs: parseTimestamp(end), text: lines.join(' ') };
    });
}

function parseVtt(vtt: string): Parsed[] {
  const [header, ...blocks] = vtt.replace(/\n$/, '').split('\n\n');
  assert.is(header, 'WEBVTT');
  return blocks.map((block) => {
    const [times = '', ...lines] = block.split('\n');
    const [start = '', end = ''] = times.split(' --> ');
    const text = lines.join(' ');
    assert.not.match(text, /[<>]|&(?!amp;|lt;|gt;)/);
    const plain = text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
    return { startMs: parseTimestamp(start), endMs: parseTimestamp(end), text: plain };
  });
}

const test = suite('formats');

test('srt as players know it', () => {
  const srt = formatResult(
    resultOf(segment(0, 1500, 'turn on the lamp'), segment(61_004, 3_661_999, 'thank you')),
    'srt',
  );
  assert.is(
    srt,
    '1\n00:00:00,000 --> 00:00:01,500\nturn on the lamp\n\n2\n00:01:01,004 --> 01:01:01,999\nthank you\n',
  );
});

test('vtt with its header and escapes', () => {
  const vtt = formatResult(resultOf(segment(0, 1500, 'a < b & c --> d')), 'vtt');
  assert.is(vtt, 'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b &amp; c --&gt; d\n');
  assert.is(formatResult(resultOf(), 'vtt'), 'WEBVTT\n');
});

test('an arrow in the text does not look like times in srt', () => {
  assert.is(formatResult(resultOf(segment(0, 9, 'a --> b')), 'srt').split('-->').length, 2);
});

test('long text is broken into lines of 42 and cues of two lines that share the time', () => {
  const text =
    'the quick brown fox jumps over the lazy dog while the other dog looks on and wonders what all this is about';
  // 75 of 105 characters are on the first screen, so it has 7143 of 10000 ms
  assert.equal(cuesOf([segment(1000, 11_000, text)]), [
    {
      startMs: 1000,
      endMs: 8143,
      lines: ['the quick brown fox jumps over the lazy', 'dog while the other dog looks on and'],
    },
    { startMs: 8143, endMs: 11_000, lines: ['wonders what all this is about'] },
  ]);
});

test('scripts without spaces are cut between characters, never inside one', () => {
  const [first, second] = cuesOf([segment(0, 1000, '😀'.repeat(100))]);
  assert.is(first?.lines[0], '😀'.repeat(42));
  assert.is(first?.lines[1], '😀'.repeat(42));
  assert.is(second?.lines[0], '😀'.repeat(16));
});

test('segments without words make no cue', () => {
  assert.equal(cuesOf([segment(0, 500, ''), segment(500, 900, '  \n ')]), []);
  assert.is(formatResult(resultOf(segment(0, 500, '')), 'srt'), '');
});

test('timestamps round-trip', () => {
  for (const ms of [0, 1, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 359_999_999, 360_000_000]) {
    for (const separator of [',', '.'] as const) assert.is(parseTimestamp(timestamp(ms, separator)), ms);
  }
  for (let i = 0; i < 2000; i++) {
    const ms = below(2_000_000_000);
    assert.is(parseTimestamp(timestamp(ms, ',')), ms);
  }
});

test('whatever the segments, cues never overlap, keep every word and can be read back', () => {
  const words = [
    'a',
    'lamp',
    '<b>',
    '&amp;',
    '-->',
    'extraordinarily',
    '電気をつけて',
    'x'.repeat(100),
    '\n\n',
    '\t',
    'ß',
  ];
  for (let round = 0; round < 300; round++) {
    const segments: FileSegment[] = [];
    let atMs = 0;
    for (let i = 0; i < below(8); i++) {
      // overlaps, gaps, zero and negative lengths, fractions
      const startMs = Math.max(0, atMs + below(2000) - 700) + below(10) / 10;
      const endMs = startMs + below(6000) - 200;
      atMs = endMs;
      const text = Array.from({ length: below(40) }, () => words[below(words.length)]).join(' ');
      segments.push(segment(startMs, endMs, text, i));
    }
    const cues = cuesOf(segments);
    let previousEndMs = 0;
    for (const { startMs, endMs } of cues) {
      assert.ok(Number.isInteger(startMs) && Number.isInteger(endMs));
      assert.ok(startMs >= previousEndMs && endMs > startMs, `${previousEndMs} ${startMs} ${endMs}`);
      previousEndMs = endMs;
    }
    const times = cues.map(({ startMs, endMs }) => [startMs, endMs]);
    const letters = (text: string) => text.replaceAll(/\s+/g, '');
    const said = letters(segments.map(({ text }) => text).join(''));
    const srt = parseSrt(formatResult(resultOf(...segments), 'srt'));
    assert.equal(
      srt.map(({ startMs, endMs }) => [startMs, endMs]),
      times,
    );
    assert.is(letters(srt.map(({ text }) => text).join('')).replaceAll('→', '-->'), said);
    const vtt = parseVtt(formatResult(resultOf(...segments), 'vtt'));
    assert.equal(
      vtt.map(({ startMs, endMs }) => [startMs, endMs]),
      times,
    );
    assert.is(letters(vtt.map(({ text }) => text).join('')), said);
  }
});

test('json is one line with every key of the contract', () => {
  const json = formatResult(resultOf(segment(0, 1500.04, 'a "quoted"\nword')), 'json');
  assert.is(json.indexOf('\n'), json.length - 1);
  assert.equal(JSON.parse(json), {
    file: 'talk.wav',
    text: 'a "quoted"\nword',
    language: 'en',
    durationMs: 10_000,
    segments: [
      { id: 0, startMs: 0, endMs: 1500, text: 'a "quoted"\nword', avgLogProb: -0.1235, noSpeechProb: null },
    ],
    model: 'embedded',
    provider: 'cpu',
    timings: { loadMs: 1.2, vadMs: 0, melMs: 0, encodeMs: 0, decodeMs: 0, totalMs: 2 },
    rtf: 0.1235,
  });
});

test('text is the text', () => {
  assert.is(formatResult(resultOf(segment(0, 1, 'one'), segment(1, 2, 'two')), 'text'), 'one\ntwo\n');
  assert.is(formatResult(resultOf(), 'text'), '');
});

test.run();
