/**
 * What the detector and the models of an unpacked harkd compute on the machine this runs on, as JSON:
 *   node dist/test/arm64/numbers.js PACKAGE [COMPILED …]
 *
 * Its own modules are taken from PACKAGE, so that it is the package that is tried and not the folder it was made in.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inFrames, soundOf } from '../daemon/sound.ts';
import { readGolden } from '../golden.ts';

const goldenDir = path.join(import.meta.dirname, '../../../test/golden');

/** Of the golden ones: each takes seconds under emulation. */
export const utterancesHeard = 4;

export type HeardUtterance = {
  readonly name: string;
  readonly tokens: readonly number[];
  readonly avgLogProb: number;
};
export type Numbers = {
  readonly arch: string;
  readonly cpuProfile: string;
  /** By recording, one a frame. */
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
  /** By compiled model, in the order they were named. */
  readonly heard: readonly (readonly HeardUtterance[])[];
};

async function compute(installedDir: string, compiledDirs: readonly string[]): Promise<Numbers> {
  const module = (file: string) => import(path.join(installedDir, 'dist', file));
  const { openSileroVad }: typeof import('../../daemon/vad.ts') = await module('daemon/vad.js');
  const { cpuProfile, provider }: typeof import('../../providers/cpu.ts') = await module('providers/cpu.js');
  const { openModel }: typeof import('../../models/whisper/open.ts') = await module('models/whisper/open.js');
  const { openCompiled }: typeof import('../../models/compiler/compiled.ts') = await module(
    'models/compiler/compiled.js',
  );

  const reference = JSON.parse(readFileSync(path.join(goldenDir, 'vad/probabilities.json'), 'utf8')) as {
    readonly silenceSamples: number;
    readonly recordings: Readonly<Record<string, unknown>>;
  };
  const detectSpeech = await openSileroVad(path.join(installedDir, 'dist/models/vad'));
  const probabilities: Record<string, readonly number[]> = {};
  for (const name of Object.keys(reference.recordings)) {
    const sound = await soundOf(path.join(goldenDir, 'nano', name));
    const followed = new Float32Array(sound.length + reference.silenceSamples);
    followed.set(sound);
    probabilities[name] = Array.from(await detectSpeech([...inFrames(followed)]));
  }

  const heard: HeardUtterance[][] = [];
  for (const dir of compiledDirs) {
    const whisper = await openModel({ compiled: openCompiled(dir), provider, threads: 1 });
    const utterances: HeardUtterance[] = [];
    for (const { name, samples } of readGolden().slice(0, utterancesHeard)) {
      const { tokens, avgLogProb } = await whisper.transcribe(samples, { language: 'en' });
      utterances.push({ name, tokens, avgLogProb });
    }
    await whisper.close();
    heard.push(utterances);
  }
  return { arch: process.arch, cpuProfile: cpuProfile(), probabilities, heard };
}

if (process.argv[1] === import.meta.filename) {
  const [installedDir = '', ...compiledDirs] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await compute(installedDir, compiledDirs))}\n`);
}
