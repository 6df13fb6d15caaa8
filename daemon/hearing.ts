/** Hearing, put together as the configuration says: the detector, and segmenters with the padding a model wants. */
import path from 'node:path';
import type { ModelCard } from '../models/manifest.ts';
import type { Config } from './config/config.ts';
import type { DetectSpeech } from './events.ts';
import { Segmenter, segmenterDefaults } from './segmenter.ts';
import { openSileroSequence, openSileroVad, type SequenceVad } from './vad.ts';

const vadDirOf = (packageDir: string): string => path.join(packageDir, 'dist/models/vad');

/** Opens the voice-activity detector that the build put into the package, for sound that comes frame by frame. */
export function openVad(packageDir: string): Promise<DetectSpeech> {
  return openSileroVad(vadDirOf(packageDir));
}

/** The same detector for files: many frames in one run of a graph on the CPU cost a quarter, one alone costs twice. */
export async function openSequenceVad(packageDir: string): Promise<SequenceVad> {
  // not with the program: who hears a microphone has no need of onnxruntime in this process
  const { provider: cpu } = await import('../providers/cpu.ts');
  return openSileroSequence(path.join(vadDirOf(packageDir), 'silero-vad-v6-sequence.onnx'), cpu.open);
}

/** A segmenter for each stretch of listening. A model may want less sound around the speech than was kept. */
export function createSegmenterFor(
  { vad }: Config,
  card: ModelCard | undefined,
  nextId: () => string,
): () => Segmenter {
  const { paddingBeforeMs = vad.preRollMs, paddingAfterMs = segmenterDefaults.padding.afterMs } =
    card?.segment ?? {};
  return () =>
    new Segmenter({
      nextId,
      startThreshold: vad.threshold,
      endThreshold: vad.endThreshold,
      minSpeechMs: vad.minSpeechMs,
      hangoverMs: vad.hangoverMs,
      maxSegmentMs: vad.maxSegmentS * 1000,
      padding: {
        beforeMs: Math.min(vad.preRollMs, paddingBeforeMs),
        afterMs: Math.min(vad.hangoverMs, paddingAfterMs),
      },
    });
}
