/** Hearing, put together as the configuration says: the detector, and segmenters with the padding a model wants. */
import path from 'node:path';
import type { ModelCard } from '../models/manifest.ts';
import { provider as cpu } from '../providers/cpu.ts';
import type { Config } from './config.ts';
import { Segmenter, segmenterDefaults } from './segmenter.ts';
import { openSileroSequence, type SequenceVad } from './vad.ts';

/** Opens the voice-activity detector that the build put into the package, on the CPU: some frames of 32 ms in a run. */
export function openVad(packageDir: string): Promise<SequenceVad> {
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
