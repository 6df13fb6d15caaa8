/**
 * `npm run bench:wer`: how many words the embedded model gets wrong, in each number format, clean and in noise, and how
 * many it hears where there are none. Writes docs/bench/word-errors-<date>.md and .json. `-- --help` has the options.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import yargs from 'yargs';
import { readSurroundings } from '../../daemon/bench/surroundings.ts';
import { readCard } from '../../models/manifest.ts';
import { type DecodingDefaults, isDecodingDefaults, whisperDefaults } from '../../models/whisper/belief.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { embeddedModelDir } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';
import { announceSkip } from '../skip.ts';
import { readCorpus } from './word-errors/corpus.ts';
import { gatesOf } from './word-errors/gates.ts';
import { type Heard, hear } from './word-errors/heard.ts';
import { countInventions, hearSound, soundsWithoutWords } from './word-errors/inventions.ts';
import { partsOf } from './word-errors/parts.ts';
import { hearRecordings, readLabels, scoreRecordings } from './word-errors/recordings.ts';
import { type Report, renderReport } from './word-errors/report.ts';
import { speak, tryAll } from './word-errors/test-set.ts';
import { decodingOf, type OpenedVariant, openVariant, variantsOf } from './word-errors/variants.ts';
import { engines, versionOf, voices } from './word-errors/voices.ts';

const atLeast = (name: string, least: number) => (value: number) => {
  if (value >= least) return value;
  throw new Error(`--${name} ${value}: expected at least ${least}`);
};

const argv = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:wer --')
  .usage(
    '$0 [options]\n\nCounts word errors of a model in fp32, int8 and int4 on sentences spoken by the engines that are ' +
      'installed (sudo apt install espeak-ng flite), clean and in noise, and the texts it hears where nobody speaks. ' +
      'What the engines say is kept under .cache/word-errors, so that a run that was stopped goes on. It ' +
      'takes five to ten minutes of a core, more the wider the beam.',
  )
  .option('utterances', {
    type: 'number',
    // two of each voice: babble is made of others
    coerce: atLeast('utterances', 2 * voices.length),
    default: 648,
    describe: 'sentences, dealt out to the voices',
  })
  .option('quiet-minutes', {
    type: 'number',
    coerce: atLeast('quiet-minutes', 0.1),
    default: 5,
    describe: 'minutes of each sound without words',
  })
  .option('seed', {
    type: 'number',
    coerce: atLeast('seed', 0),
    default: 1,
    describe: 'of sentences, noises and draws',
  })
  .option('out', {
    type: 'string',
    default: path.join(packageDir, 'docs/bench'),
    describe: 'folder the page and its data go to',
  })
  .option('recordings', { type: 'string', describe: 'folder of WAV files of people, heard too' })
  .option('labels', {
    type: 'string',
    describe:
      'JSON file of words that are said in each: {"a.wav": ["milk"]} (labels.json among the recordings)',
  })
  .option('model', { type: 'string', default: embeddedModelDir, describe: 'model folder' })
  .option('beam-size', {
    type: 'number',
    coerce: (beamSize: number) => {
      if (isDecodingDefaults({ beamSize })) return beamSize;
      throw new Error(`--beam-size ${beamSize}: expected a whole number from 1 to 10`);
    },
    describe: 'texts followed at once, 1 for greedy decoding [as the card of the model says]',
  })
  .option('corpus', {
    type: 'string',
    describe: 'corpus written by models/training, heard instead of the sentences',
  })
  .option('render', { type: 'string', describe: 'write the page again of this JSON file, measuring nothing' })
  .example('$0 --recordings people', 'the usual, and recordings of people labelled in people/labels.json')
  .example('$0 --render docs/bench/word-errors-2026-11-23.json', 'the page again, of what was measured')
  .strict()
  .parse();

const note = (line: string): void => void process.stderr.write(`${line}\n`);
const every =
  (step: number, what: string) =>
  (done: number): void => {
    if (done % step === 0) note(`${done} of ${argv.utterances} sentences ${what}`);
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

async function openVariants(decoding: DecodingDefaults): Promise<readonly OpenedVariant[]> {
  const opened: OpenedVariant[] = [];
  const dir = temporaryDir();
  for (const variant of variantsOf(argv.model)) {
    opened.push(await openVariant(variant, argv.model, dir, decoding));
  }
  return opened;
}

async function measure(): Promise<Report> {
  const at = new Date().toISOString();
  const { seed, quietMinutes: minutes, utterances: count, recordings: dir } = argv;
  // what may be wrong with it shows before anything that takes minutes
  const labels = dir === undefined ? {} : readLabels(argv.labels ?? path.join(dir, 'labels.json'));
  // of the code that was started: the tree may go on while it runs
  const git = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: packageDir, encoding: 'utf8' });
  const manifest = readFileSync(path.join(packageDir, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const given = process.argv.slice(2);

  const { corpus } = argv;
  const found = corpus === undefined ? findEngines() : { versions: {}, skipped: [] };
  const card = readCard(argv.model);
  const minAvgLogProb = card?.decoding?.minAvgLogProb ?? whisperDefaults.minAvgLogProb;
  const decoding = decodingOf(card, argv.beamSize);
  const variants = await openVariants(decoding);
  const names = variants.map(({ name }) => name);
  const listen = ({ whisper }: OpenedVariant, samples: Float32Array) => hear(whisper, samples, minAvgLogProb);

  const cacheDir = path.join(packageDir, '.cache/word-errors');
  const utterances =
    corpus === undefined
      ? await speak(count, seed, found.versions, cacheDir, every(100, 'spoken'))
      : readCorpus(corpus, count, seed);
  const trials = await tryAll(utterances, variants, seed, listen, every(50, 'heard'));

  const sounds: Record<string, readonly Heard[]> = {};
  const shipped = variants[1] as OpenedVariant;
  const speech = utterances.map(({ samples }) => samples);
  for (const [sound, source] of Object.entries(soundsWithoutWords(seed, speech))) {
    note(`${minutes} minutes of ${sound}`);
    const hearIt = (samples: Float32Array) => listen(shipped, samples);
    sounds[sound] = await hearSound(packageDir, source, minutes, hearIt);
  }
  const recordings =
    dir === undefined ? undefined : await hearRecordings(packageDir, dir, labels, variants, listen);
  for (const { whisper } of variants) await whisper.close();

  const scores = {
    ...partsOf(trials, names),
    inventions: Object.entries(sounds).map(([sound, heard]) => countInventions(sound, minutes, heard)),
    recordings: recordings === undefined ? undefined : scoreRecordings(recordings, names),
    gates: gatesOf({ trials, sounds, recordings }, shipped.name, minAvgLogProb),
  };
  const { user, system } = process.cpuUsage();
  return {
    at,
    command: ['npm run bench:wer', ...(given.length === 0 ? [] : ['--']), ...given].join(' '),
    harkd: version,
    commit: git.status === 0 ? git.stdout.trim() : undefined,
    machine: readSurroundings(),
    model: { name: card?.name ?? path.basename(argv.model), version: card?.version ?? '' },
    ...found,
    corpus,
    seed,
    cpuSeconds: (user + system) / 1e6,
    minAvgLogProb,
    beamSize: decoding.beamSize,
    variants: variants.map(({ name, bytes, usualOn }) => ({ name, megabytes: bytes / 1e6, usualOn })),
    ...scores,
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

if (argv.render === undefined) write(await measure(), argv.out);
else write(JSON.parse(readFileSync(argv.render, 'utf8')) as Report, path.dirname(argv.render));
