/**
 * `npm run bench:wer`: how many words the embedded model gets wrong, in each number format, clean and in noise, and how
 * many it hears where there are none. Writes docs/bench/word-errors-<date>.md and .json.
 *
 *   apt-get install espeak-ng flite
 *   npm run bench:wer -- [--utterances 648] [--quiet-minutes 5] [--seed 1] [--out docs/bench]
 *                        [--recordings DIR [--labels DIR/labels.json]]
 *                        [--model DIR] [--corpus DIR]    another model folder; a corpus of models/training
 *   npm run bench:wer -- --render docs/bench/word-errors-….json       the page again, from what was measured
 *
 * What the engines say is kept under .cache/word-errors, so that a run that was stopped goes on.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readSurroundings } from '../../daemon/bench/surroundings.ts';
import { readCard } from '../../models/manifest.ts';
import { whisperDefaults } from '../../models/whisper/belief.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { embeddedModelDir } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';
import { announceSkip } from '../skip.ts';
import { readCorpus } from './word-errors/corpus.ts';
import { hear } from './word-errors/heard.ts';
import { countInventions, type Inventions, soundsWithoutWords } from './word-errors/inventions.ts';
import { partsOf } from './word-errors/parts.ts';
import { readLabels, scoreRecordings } from './word-errors/recordings.ts';
import { type Report, renderReport } from './word-errors/report.ts';
import { speak, tryAll } from './word-errors/test-set.ts';
import { type OpenedVariant, openVariant, variantsOf } from './word-errors/variants.ts';
import { engines, versionOf, voices } from './word-errors/voices.ts';

const { values } = parseArgs({
  options: {
    utterances: { type: 'string', default: '648' },
    'quiet-minutes': { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: path.join(packageDir, 'docs/bench') },
    recordings: { type: 'string' },
    labels: { type: 'string' },
    model: { type: 'string', default: embeddedModelDir },
    corpus: { type: 'string' },
    render: { type: 'string' },
  },
});
/** Of an option that is a number. */
function numberOf(option: 'utterances' | 'quiet-minutes' | 'seed', least: number): number {
  const value = Number(values[option]);
  if (value >= least) return value;
  throw new RangeError(`--${option} is at least ${least}, got ${values[option]}`);
}

const note = (line: string): void => void process.stderr.write(`${line}\n`);
const every =
  (step: number, what: string) =>
  (done: number): void => {
    if (done % step === 0) note(`${done} of ${values.utterances} sentences ${what}`);
  };

function findEngines(): Pick<Report, 'versions' | 'skipped'> {
  const versions: Record<string, string> = {};
  const skipped: { what: string; reason: string }[] = [];
  for (const engine of engines) {
    const version = versionOf(engine);
    if (version !== undefined) {
      versions[engine.name] = version;
      continue;
    }
    const what = `all voices of ${engine.name}`;
    const reason = `${engine.name} is not installed; sudo apt install ${engine.from}`;
    skipped.push({ what, reason });
    announceSkip(what, reason);
  }
  return { versions, skipped };
}

async function openVariants(): Promise<readonly OpenedVariant[]> {
  const opened: OpenedVariant[] = [];
  const dir = temporaryDir();
  // whether a text is believed is decided after it was counted
  const defaults = { minAvgLogProb: Number.NEGATIVE_INFINITY };
  for (const variant of variantsOf(values.model)) {
    opened.push(await openVariant(variant, values.model, dir, defaults));
  }
  return opened;
}

async function measure(): Promise<Report> {
  const at = new Date().toISOString();
  const seed = numberOf('seed', 0);
  const minutes = numberOf('quiet-minutes', 0.1);
  // two of each voice: babble is made of others
  const count = numberOf('utterances', 2 * voices.length);
  const { recordings: dir } = values;
  // what may be wrong with it shows before anything that takes minutes
  const labels = dir === undefined ? {} : readLabels(values.labels ?? path.join(dir, 'labels.json'));
  // of the code that was started: the tree may go on while it runs
  const git = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: packageDir, encoding: 'utf8' });
  const manifest = readFileSync(path.join(packageDir, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const given = process.argv.slice(2);

  const { corpus } = values;
  const found = corpus === undefined ? findEngines() : { versions: {}, skipped: [] };
  const card = readCard(values.model);
  const minAvgLogProb = card?.decoding?.minAvgLogProb ?? whisperDefaults.minAvgLogProb;
  const variants = await openVariants();
  const listen = ({ whisper }: OpenedVariant, samples: Float32Array) => hear(whisper, samples, minAvgLogProb);

  const cacheDir = path.join(packageDir, '.cache/word-errors');
  const utterances =
    corpus === undefined
      ? await speak(count, seed, found.versions, cacheDir, every(100, 'spoken'))
      : readCorpus(corpus, count, seed);
  const trials = await tryAll(utterances, variants, seed, listen, every(50, 'heard'));

  const inventions: Inventions[] = [];
  const shipped = variants[1] as OpenedVariant;
  const speech = utterances.map(({ samples }) => samples);
  for (const [sound, source] of Object.entries(soundsWithoutWords(seed, speech))) {
    note(`${minutes} minutes of ${sound}`);
    const hearIt = (samples: Float32Array) => listen(shipped, samples);
    inventions.push(await countInventions(packageDir, sound, source, minutes, hearIt));
  }
  const recordings =
    dir === undefined ? undefined : await scoreRecordings(packageDir, dir, labels, variants, listen);
  for (const { whisper } of variants) await whisper.close();

  const parts = partsOf(
    trials,
    variants.map(({ name }) => name),
  );
  const { user, system } = process.cpuUsage();
  return {
    at,
    command: ['npm run bench:wer', ...(given.length === 0 ? [] : ['--']), ...given].join(' '),
    harkd: version,
    commit: git.status === 0 ? git.stdout.trim() : undefined,
    machine: readSurroundings(),
    model: { name: card?.name ?? path.basename(values.model), version: card?.version ?? '' },
    ...found,
    corpus,
    seed,
    cpuSeconds: (user + system) / 1e6,
    minAvgLogProb,
    variants: variants.map(({ name, bytes, usualOn }) => ({ name, megabytes: bytes / 1e6, usualOn })),
    ...parts,
    inventions,
    recordings,
  };
}

function write(report: Report, folder: string): void {
  const name = `word-errors-${report.at.slice(0, 10)}`;
  const shortened = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(report, shortened, 1)}\n`);
  const page = renderReport(report, `${name}.json`);
  writeFileSync(path.join(folder, `${name}.md`), page);
  process.stdout.write(page);
  note(`written: ${path.join(folder, name)}.md and .json`);
}

if (values.render === undefined) write(await measure(), values.out);
else write(JSON.parse(readFileSync(values.render, 'utf8')) as Report, path.dirname(values.render));
