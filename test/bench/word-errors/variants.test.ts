import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CpuProfile, cpuProfiles, weightsFor } from '../../../models/compiler/profiles.ts';
import { whisperDefaults } from '../../../models/whisper/belief.ts';
import { smallestShape, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { decodingOf, variantsOf } from './variants.ts';

const variants = suite('variants');

variants('of the embedded model are what they are called, and every processor takes int8 by itself', () => {
  const made = variantsOf(embeddedModelDir);
  assert.equal(
    made.map(({ name }) => name),
    ['fp32', 'int8', 'int8, decoder int4'],
  );
  assert.equal(
    made.map(({ usualOn }) => usualOn),
    [[], cpuProfiles, []],
  );
});

variants('of a wide model are taken by the processors that gain by them', () => {
  const wide = writeRandomWhisper(temporaryDir(), { shape: { ...smallestShape, width: 384, heads: 6 } });
  const usual = Object.fromEntries(variantsOf(wide).map(({ name, usualOn }) => [name, usualOn]));
  const gains = (profile: CpuProfile) => 'decoder' in weightsFor(profile, 384).exceptions;
  assert.equal(usual['int8, decoder int4'], cpuProfiles.filter(gains));
  assert.equal(
    usual['int8'],
    cpuProfiles.filter((profile) => !gains(profile)),
  );
  assert.ok(
    usual['int8, decoder int4']?.includes('dot-product') && usual['int8']?.includes('no-dot-product'),
  );
});

variants('decode as the card says, or as was asked for, and withhold no text', () => {
  const card = { decoding: { temperatures: [0], minAvgLogProb: -0.6, beamSize: 4 } };
  const open = { minAvgLogProb: Number.NEGATIVE_INFINITY };
  assert.equal(decodingOf(card), { ...whisperDefaults, ...card.decoding, ...open });
  assert.is(decodingOf(card, 1).beamSize, 1);
  assert.equal(decodingOf(undefined), { ...whisperDefaults, ...open });
  assert.is(decodingOf({}, 3).beamSize, 3);
});

variants.run();
