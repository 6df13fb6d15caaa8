/** What ships, heard as it ships: the demonstration's recordings through detector, segmenter and embedded model. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fileSource } from '../daemon/capture/file.ts';
import type { HeardEvent } from '../daemon/segmenter.ts';
import { Segmenter } from '../daemon/segmenter.ts';
import { openSileroSequence } from '../daemon/vad.ts';
import { openCompiled } from '../models/compiler/compiled.ts';
import { readCard } from '../models/manifest.ts';
import { openModel } from '../models/whisper/open.ts';
import { provider as cpu } from '../providers/cpu.ts';
import { announceSkip } from './skip.ts';

const modelsDir = path.join(import.meta.dirname, '../models');
const embeddedDir = path.join(modelsDir, 'embedded');
const demoDir = path.join(embeddedDir, 'demo');

type Recording = { readonly file: string; readonly sentences: readonly { readonly text: string }[] };

const test = suite('demonstration');

test('every sentence is heard word for word, and no other', async () => {
  const { recordings }: { readonly recordings: readonly Recording[] } = JSON.parse(
    readFileSync(path.join(demoDir, 'sentences.json'), 'utf8'),
  );
  const card = readCard(embeddedDir);
  assert.ok(card?.segment !== undefined);
  const padding = { beforeMs: card.segment.paddingBeforeMs, afterMs: card.segment.paddingAfterMs };
  const vad = await openSileroSequence(path.join(modelsDir, 'vad/silero-vad-v6-sequence.onnx'), cpu.open);
  const whisper = await openModel({ compiled: openCompiled(embeddedDir), provider: cpu });
  for (const { file, sentences } of recordings) {
    const segmenter = new Segmenter({ nextId: () => file, padding });
    const texts: string[] = [];
    const recognise = async (events: readonly HeardEvent[]): Promise<void> => {
      for (const event of events) {
        if (event.type !== 'segment') continue;
        const { text, rejected } = await whisper.transcribe(event.segment.samples);
        texts.push(rejected === undefined ? text.trim() : `(${rejected})`);
      }
    };
    const source = fileSource(path.join(demoDir, file), { pace: 'fast', epochMs: 0 });
    for await (const frame of source(new AbortController().signal)) {
      await recognise(segmenter.push(frame, (await vad.detectSpeech([frame]))[0] ?? 0));
    }
    await recognise(segmenter.flush());
    assert.equal(
      texts,
      sentences.map(({ text }) => text),
      file,
    );
  }
  await whisper.close();
  await vad.close();
});

if (existsSync(path.join(demoDir, 'sentences.json'))) test.run();
else announceSkip('demonstration', 'dist/models/embedded/demo is missing: npm run build makes it');
