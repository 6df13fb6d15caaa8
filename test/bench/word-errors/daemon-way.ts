/** Sound through detector and segmenter as the daemon has it: what reaches the recognizer of a sound of any length. */
import { openVad } from '../../../daemon/hearing.ts';
import { Segmenter } from '../../../daemon/segmenter.ts';
import { transcribeSound } from '../../../daemon/transcription.ts';
import { readCard } from '../../../models/manifest.ts';
import { embeddedModelDir } from '../../golden.ts';

/** Hands each segment of `chunks` (mono [-1, 1] at 16 kHz) to `recognize`, and answers what that says. */
export async function recognizeSegments<Answer>(
  packageDir: string,
  chunks: AsyncIterable<Float32Array>,
  recognize: (samples: Float32Array) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const { paddingBeforeMs = 0, paddingAfterMs = 0 } = readCard(embeddedModelDir)?.segment ?? {};
  const detect = await openVad(packageDir);
  const answers: Answer[] = [];
  let count = 0;
  await transcribeSound({
    chunks,
    detectSpeech: async (frames) => Float32Array.from(await detect(frames)),
    segmenter: new Segmenter({
      nextId: () => `s${++count}`,
      padding: { beforeMs: paddingBeforeMs, afterMs: paddingAfterMs },
    }),
    recognize: ({ samples }) => recognize(samples),
    take: (_place, answer) => answers.push(answer),
    onHeard: () => undefined,
    aheadS: 60,
    signal: new AbortController().signal,
  });
  return answers;
}
