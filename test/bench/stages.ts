/** The recognizer as it ships, in this process, with a watch on every run of a graph. */

import { type Summary, summarize } from '../../daemon/bench/statistics.ts';
import { openCompiled } from '../../models/compiler/compiled.ts';
import { readCard } from '../../models/manifest.ts';
import { openModel } from '../../models/whisper/open.ts';
import { provider as cpu } from '../../providers/cpu.ts';
import type { Provider, Tensor } from '../../providers/provider.ts';

type GraphRun = {
  readonly graph: 'encoder' | 'decoder';
  readonly tokens: readonly number[];
  /** Of `tokens`: texts, and tokens fed to each. */
  readonly dims: readonly number[];
  readonly durationMs: number;
};

export type Stages = {
  readonly text: string;
  readonly prompt: readonly number[];
  readonly tokens: readonly number[];
  /** Sound to the keys and values the decoder listens to; log-mel is inside. */
  readonly encodeMs: Summary;
  /** The prompt, at once. */
  readonly prefillMs: Summary;
  /** One token of each text, over all steps of all rounds. */
  readonly stepMs: Summary;
  /** The whole of `transcribe`: samples to text and belief. */
  readonly totalMs: Summary;
  /** `totalMs` over the length of the sound. */
  readonly rtf: Summary;
};

/** A provider whose sessions tell how long each run took. */
function watched(runs: GraphRun[]): Provider {
  return {
    ...cpu,
    async open(graphPath, options) {
      const session = await cpu.open(graphPath, options);
      const graph = graphPath.endsWith('encoder.onnx') ? 'encoder' : 'decoder';
      return {
        ...session,
        async run(feeds, fetches, into) {
          const startedAtMs = performance.now();
          const outputs = await session.run(feeds, fetches, into);
          const durationMs = performance.now() - startedAtMs;
          const fed: Tensor | undefined = feeds['tokens'];
          const tokens = Array.from(fed?.data ?? [], Number);
          runs.push({ graph, tokens, dims: fed?.dims ?? [], durationMs });
          return outputs;
        },
      };
    },
  };
}

const warmUps = 5;

export async function measureStages(
  compiledDir: string,
  samples: Float32Array,
  threads: number,
  rounds: number,
): Promise<Stages> {
  const runs: GraphRun[] = [];
  const whisper = await openModel({ compiled: openCompiled(compiledDir), provider: watched(runs), threads });
  const decoding = readCard(compiledDir)?.decoding;
  if (decoding?.temperatures?.length !== 1) throw new Error('a second temperature would be counted as steps');
  for (let round = 0; round < warmUps; round++) await whisper.transcribe(samples);
  const prompt = runs.find(({ graph }) => graph === 'decoder')?.tokens ?? [];
  runs.length = 0;
  const totals: number[] = [];
  let heard = await whisper.transcribe(samples);
  runs.length = 0;
  for (let round = 0; round < rounds; round++) {
    const startedAtMs = performance.now();
    heard = await whisper.transcribe(samples);
    totals.push(performance.now() - startedAtMs);
  }
  await whisper.close();
  const of = (test: (run: GraphRun) => boolean): Summary =>
    summarize(runs.filter(test).map(({ durationMs }) => durationMs));
  const durationMs = samples.length / 16;
  return {
    text: heard.text.trim(),
    prompt,
    tokens: heard.tokens,
    encodeMs: of(({ graph }) => graph === 'encoder'),
    prefillMs: of(({ graph, dims }) => graph === 'decoder' && (dims[1] ?? 1) > 1),
    stepMs: of(({ graph, dims }) => graph === 'decoder' && dims[1] === 1),
    totalMs: summarize(totals),
    rtf: summarize(totals.map((totalMs) => totalMs / durationMs)),
  };
}
