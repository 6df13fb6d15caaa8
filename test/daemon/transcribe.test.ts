/** `harkd transcribe` as a user runs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { harkd } from '../fixtures/daemon.ts';
import { demoDir, household, recordings, sentencesOf } from '../fixtures/demo.ts';

const spoken = sentencesOf('household.wav');

const transcribe = suite('transcribe');

transcribe('text: every recording that ships, word for word', async () => {
  const files = recordings.map(({ file }) => path.join(demoDir, file));
  const { code, stdout, stderr } = await harkd(['transcribe', ...files]);
  assert.is(code, 0, stderr);
  assert.equal(
    stdout.trim().split('\n'),
    recordings.flatMap(({ sentences }) => sentences.map(({ text }) => text)),
  );
});

transcribe('json: the contract, with times where the words were spoken', async () => {
  const { code, stdout, stderr } = await harkd(['transcribe', '--format', 'json', household]);
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as {
    file: string;
    language: string;
    durationMs: number;
    rtf: number;
    segments: { id: number; startMs: number; endMs: number; text: string; avgLogProb: number }[];
    timings: Record<string, number>;
  };
  assert.is(result.file, household);
  assert.is(result.language, 'en');
  assert.is(result.segments.length, spoken.length);
  for (const [index, segment] of result.segments.entries()) {
    const sentence = spoken[index];
    assert.ok(sentence !== undefined);
    assert.is(segment.text, sentence.text);
    assert.is(segment.id, index);
    // the segment covers what was said, and little more than its padding
    assert.ok(
      segment.startMs <= sentence.startMs + 64 && segment.startMs >= sentence.startMs - 600,
      segment.text,
    );
    assert.ok(segment.endMs >= sentence.endMs - 150 && segment.endMs <= sentence.endMs + 700, segment.text);
    assert.ok(segment.avgLogProb < 0 && segment.avgLogProb > -0.6, `${segment.avgLogProb}`);
  }
  for (const name of ['loadMs', 'vadMs', 'melMs', 'encodeMs', 'decodeMs', 'totalMs']) {
    assert.type(result.timings[name], 'number', name);
  }
  assert.ok(result.rtf > 0 && result.rtf < 1);
});

transcribe('srt and vtt: one cue a sentence', async () => {
  const srt = await harkd(['transcribe', '--format', 'srt', household]);
  assert.is(srt.stdout.match(/-->/g)?.length, spoken.length);
  assert.match(srt.stdout, /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\nturn on the kitchen lights\n\n2\n/);
  const vtt = await harkd(['transcribe', '--format', 'vtt', household]);
  assert.match(vtt.stdout, /^WEBVTT\n\n/);
  for (const { text } of spoken) assert.ok(vtt.stdout.includes(text), text);
});

transcribe('without the detector everything is recognised', async () => {
  const { code, stdout, stderr } = await harkd(['transcribe', '--no-vad', path.join(demoDir, 'volume.wav')]);
  assert.is(code, 0, stderr);
  assert.is(stdout.trim(), sentencesOf('volume.wav')[0]?.text);
});

transcribe('a bad file is named, and does not keep the others from being heard', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'harkd-transcribe-'));
  const text = path.join(folder, 'text.wav');
  writeFileSync(text, 'this is no sound');
  const alone = await harkd(['transcribe', text]);
  assert.is(alone.code, 65);
  assert.match(alone.stderr, /^error AUDIO_INVALID: .*text\.wav/);
  const together = await harkd(['transcribe', text, path.join(demoDir, 'lights.wav')]);
  assert.is(together.code, 65);
  assert.is(together.stdout.trim(), sentencesOf('lights.wav')[0]?.text);
  rmSync(folder, { recursive: true });
});

transcribe('a model that is not there is named', async () => {
  const { code, stderr } = await harkd(['transcribe', '--model', '/nonexistent', household]);
  assert.is(code, 78);
  assert.match(stderr, /MODEL_MISSING/);
});

transcribe.run();
