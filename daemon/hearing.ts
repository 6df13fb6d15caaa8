/** Hearing, put together as the configuration says: the detector, and segmenters with the padding a model wants. */
import path from 'node:path';
import type { ModelCard } from '../models/manifest.ts';
import { provider as cpu } from '../providers/cpu.ts';
import type { Config } from './config/config.ts';
import type { DetectSpeech } from './events.ts';
import { Segmenter, segmenterDefaults } from './segmenter.ts';
import { openSileroSequence, openSileroVad, type SequenceVad } from './vad.ts';

/**
 * Opens the voice-activity detector that the build put into the package, on the CPU. Frames that come together are
 * looked at one after the other: the first fills the caches for the others.
 */
export async function openVad(
  packageDir: string,
): Promise<{ readonly detectSpeech: DetectSpeech; readonly close: () => Promise<void> }> {
  const graph = path.join(packageDir, 'dist/models/vad/silero-vad-v6.onnx');
  const { detectSpeech, close } = await openSileroVad(graph, cpu.open);
  return {
    close,
    async detectSpeech(frames) {
      const probabilities: number[] = [];
      for (const frame of frames) probabilities.push(await detectSpeech(frame));
      return probabilities;
    },
  };
}

/** The same detector for files: many frames in one run cost an eighth, one alone costs half as much again. */
export function openSequenceVad(packageDir: string): Promise<SequenceVad> {
  const graph = path.join(packageDir, 'dist/models/vad/silero-vad-v6-sequence.onnx');
  return openSileroSequence(graph, cpu.open);
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
