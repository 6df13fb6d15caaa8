/**
 * What key terms do: how often a household's rooms and names are heard in noise with and without them, and how often
 * they are heard where nobody said them. The figures in docs/decoding.md are this program's.
 *
 *   apt-get install espeak-ng flite sox
 *   node dist/test/bench/key-terms.js
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compile } from '../../models/compiler/compile.ts';
import { openModel } from '../../models/whisper/open.ts';
import { provider } from '../../providers/cpu.ts';
import { embeddedModelDir } from '../golden.ts';
import { randomFrom } from '../random.ts';
import { countErrors, errorsOf } from './word-errors/alignment.ts';

/** In the model's vocabulary, and confused with each other in noise. */
const rooms = ['nursery', 'pantry', 'cellar', 'workshop', 'studio', 'library', 'balcony', 'playroom'];
/** Names no command of its training has; it has to spell them. */
const names = ['conservatory', 'marlowe', 'amanda', 'benson'];
const otherRooms = ['kitchen', 'bedroom', 'office', 'garage', 'bathroom', 'hallway', 'living room', 'attic'];
const withPlace = [
  (place: string) => `turn on the ${place} lights`,
  (place: string) => `close the ${place} blinds`,
  (place: string) => `set the ${place} to twenty degrees`,
];
const withoutPlace = [
  'what is the weather today',
  'set a timer for ten minutes',
  'turn up the volume',
  'make me a large cappuccino with oat milk',
  'stop the music',
  'lock the front door',
  'i would like a small latte please',
  'remind me on thursday',
];
const voices = ['espeak-ng en-us', 'espeak-ng en-gb+f3', 'flite slt', 'flite awb'];
const snrDbs = [10, 3];
const bonuses = [0.5, 1, 1.5, 2, 3];

const sampleRateHz = 16_000;
const workDir = mkdtempSync(path.join(tmpdir(), 'harkd-key-terms-'));

function say(voice: string, text: string): Float32Array {
  const [program = '', name = ''] = voice.split(' ');
  const wav = path.join(workDir, 'said.wav');
  if (program === 'flite') execFileSync('flite', ['-voice', name, '-t', text, '-o', wav]);
  else execFileSync('espeak-ng', ['-v', name, '-s', '150', '-w', wav, text]);
  const form = ['-t', 'raw', '-e', 'signed', '-b', '16', '-c', '1', '-r', String(sampleRateHz), '-'];
  const raw = execFileSync('sox', ['-D', wav, ...form, 'pad', '0.2', '0.2', 'gain', '-n', '-8']);
  return Float32Array.from({ length: raw.length / 2 }, (_, i) => raw.readInt16LE(2 * i) / 32_768);
}

const energyOf = (sound: Float32Array) => sound.reduce((sum, x) => sum + x * x, 0);

/** With noise of 6 dB less an octave from a seed, so that the same sound comes out each time. */
function degrade(clean: Float32Array, snrDb: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  let smooth = 0;
  const noise = clean.map(() => {
    smooth = 0.9 * smooth + random() - 0.5;
    return smooth + (random() - 0.5);
  });
  const gain = Math.sqrt(energyOf(clean) / energyOf(noise) / 10 ** (snrDb / 10));
  return clean.map((x, i) => x + gain * (noise[i] as number));
}

type Said = { readonly text: string; readonly place: string | undefined; readonly samples: Float32Array };

function corpus(places: readonly string[], sentences: readonly string[] = []): Said[] {
  const texts = [
    ...places.flatMap((place) => withPlace.map((sentence) => ({ text: sentence(place), place }))),
    ...sentences.map((text) => ({ text, place: undefined })),
  ];
  return texts.flatMap(({ text, place }, t) =>
    voices.flatMap((voice, v) => {
      const clean = say(voice, text);
      return snrDbs.map((snrDb, s) => ({
        text,
        place,
        samples: degrade(clean, snrDb, 1 + t * 100 + v * 10 + s),
      }));
    }),
  );
}

const model = compile(embeddedModelDir, path.join(workDir, 'int8'), { weights: 'int8' }).model;
const keyTerms = [...rooms, ...names];
const tests = { rooms: corpus(rooms), names: corpus(names), none: corpus(otherRooms, withoutPlace) };
const countOf = (text: string, words: readonly string[]) =>
  words.filter((word) => ` ${text} `.includes(` ${word} `)).length;

console.log('| terms | rooms heard | names heard | heard where not said | word errors without terms | ms |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const bonus of [0, 'beam', ...bonuses] as const) {
  const defaults = bonus === 'beam' ? { beamSize: 4 } : { keyTermBonus: bonus };
  const whisper = await openModel({ compiled: model, provider, defaults });
  const options = { language: 'en', ...(typeof bonus === 'number' && bonus > 0 ? { keyTerms } : {}) };
  const beganAtMs = performance.now();
  const hear = async (all: readonly Said[]) => {
    const texts: string[] = [];
    for (const { samples } of all) texts.push((await whisper.transcribe(samples, options)).text);
    return texts;
  };
  const found: string[] = [];
  for (const which of ['rooms', 'names'] as const) {
    const texts = await hear(tests[which]);
    const right = texts.filter((text, i) => countOf(text, [tests[which][i]?.place ?? '']) > 0).length;
    found.push(`${right} of ${texts.length}`);
  }
  const texts = await hear(tests.none);
  const invented = texts.filter((text) => countOf(text, keyTerms) > 0).length;
  const errors = texts.reduce(
    (sum, text, i) => sum + errorsOf(countErrors(tests.none[i]?.text ?? '', text)),
    0,
  );
  const words = tests.none.reduce((sum, { text }) => sum + text.split(' ').length, 0);
  const utterances = tests.rooms.length + tests.names.length + tests.none.length;
  const ms = ((performance.now() - beganAtMs) / utterances).toFixed(0);
  const label = bonus === 0 ? 'none' : bonus === 'beam' ? 'none, beam of 4' : `bonus ${bonus}`;
  console.log(
    `| ${label} | ${found.join(' | ')} | ${invented} of ${texts.length} | ${errors} of ${words} | ${ms} |`,
  );
  await whisper.close();
}
rmSync(workDir, { recursive: true });
