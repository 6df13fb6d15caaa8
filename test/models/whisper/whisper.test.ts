import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Recognition } from '../../../daemon/events.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { WhisperShape } from '../../../models/whisper/graphs.ts';
import type { GenerationConfig } from '../../../models/whisper/languages.ts';
import { readTokenizer } from '../../../models/whisper/tokenizer.ts';
import type { Transcription } from '../../../models/whisper/transcription.ts';
import { openWhisper, type WhisperParts } from '../../../models/whisper/whisper.ts';
import { randomFrom } from '../../random.ts';
import { pointing, type Script, scriptedDecoder, scriptedEncoder } from './scripted-session.ts';

// the daemon's word and ours are the same word: either way round, this compiles
const toRecognition = (transcription: Transcription): Recognition => transcription;
const toTranscription = (recognition: Recognition): Transcription => recognition;

const repoDir = path.join(import.meta.dirname, '../../../..');
const vocabularySize = 568 + 14 + 1501;
const tokenizer = readTokenizer(
  readFileSync(path.join(repoDir, 'test/golden/tokenizer/whisper-like.json'), 'utf8'),
  vocabularySize,
);
const { special } = tokenizer;
const endOfText = special.endOfText;
const firstTimestamp = special.firstTimestamp as number;
const at = (seconds: number): number => firstTimestamp + Math.round(seconds * 50);

const shape: WhisperShape = {
  melBins: 80,
  modelWidth: 8,
  encoderLayers: 1,
  decoderLayers: 1,
  decoderHeads: 2,
  headWidth: 4,
  vocabularySize,
  maxTextTokens: 448,
  maxAudioFrames: 1500,
};
const multilingual: GenerationConfig = {
  is_multilingual: true,
  lang_to_id: { '<|en|>': 570, '<|zh|>': 571, '<|de|>': 572 },
  task_to_id: { transcribe: special.transcribe as number, translate: special.translate as number },
};
const second = new Float32Array(16_000);

/** Says `answer` with probability `probability` a token, whatever the prompt. */
const saying = (answer: readonly number[], probability = 0.95) => {
  return (history: readonly number[]): Float32Array => {
    const started = history.lastIndexOf(special.startOfTranscript);
    const afterStart = history.slice(started + 1);
    const sampled = afterStart.filter((token) => token < endOfText || token >= firstTimestamp);
    return pointing(vocabularySize, answer[sampled.length] ?? endOfText, probability);
  };
};

const open = (script: Omit<Script, 'shape'>, parts: Partial<WhisperParts> = {}) => {
  const timestamps = { first: firstTimestamp, none: special.noTimestamps };
  const decoder = scriptedDecoder({ shape, endOfText, timestamps, ...script });
  const encoder = scriptedEncoder(shape);
  const whisper = openWhisper({ shape, generation: multilingual, tokenizer, encoder, decoder, ...parts });
  return { decoder, encoder, whisper };
};
const english = { language: 'en' } as const;

const whisper = suite('whisper');

whisper('sound in, text out, in the form the daemon knows', async () => {
  const words = tokenizer.encode(' Schalte das Licht an, bitte.');
  const { whisper: subject, decoder } = open({ score: saying(words), noSpeechProb: () => 0.01 });
  const heard = await subject.transcribe(second, { language: 'de' });
  assert.is(heard.text, 'Schalte das Licht an, bitte.');
  assert.is(heard.language, 'de');
  assert.is(heard.rejected, undefined);
  assert.not('rejected' in heard, 'absent, not undefined');
  assert.is(heard.temperature, 0);
  assert.equal(heard.tokens, words);
  assert.ok(Math.abs(heard.avgLogProb - Math.log(0.95)) < 1e-4);
  assert.equal(heard.pieces, [
    {
      startMs: 0,
      endMs: 1000,
      text: heard.text,
      avgLogProb: heard.avgLogProb,
      noSpeechProb: heard.noSpeechProb,
    },
  ]);
  assert.ok(heard.timings.encodeMs > 0 && heard.timings.decodeMs > 0);
  assert.equal(decoder.runs[0]?.fed, [569, 572, special.transcribe, special.noTimestamps]);
  assert.is(toTranscription(toRecognition(heard)), heard);
});

whisper('sound is filled up to a whole position, and never to 30 s', async () => {
  const { whisper: subject, encoder } = open({ score: saying([]) });
  for (const samples of [0, 1, 640, 641, 16_001, 480_000]) {
    await subject.transcribe(new Float32Array(samples), english);
  }
  assert.equal(encoder.fedSamples, [640, 640, 640, 960, 16_320, 480_000]);
  assert.is(subject.maxSamples, 480_000);
  try {
    await subject.transcribe(new Float32Array(480_001), english);
    assert.unreachable();
  } catch (thrown) {
    assert.instance(thrown, RangeError);
    assert.match((thrown as Error).message, '480001');
  }
});

whisper('a language or task the model does not know is refused with those it knows', async () => {
  const { whisper: subject, encoder } = open({ score: saying([]) });
  assert.equal(subject.languages, ['en', 'zh', 'de']);
  assert.equal(subject.tasks, ['transcribe', 'translate']);
  for (const options of [{ language: 'fr' }, { language: 'es' }, { task: 'summarise' as 'translate' }]) {
    try {
      await subject.transcribe(second, options);
      assert.unreachable();
    } catch (thrown) {
      assert.instance(thrown, Fault);
      assert.is((thrown as Fault).code, 'MODEL_UNSUPPORTED');
      assert.match((thrown as Fault).message, 'language' in options ? 'en, zh, de' : 'transcribe, translate');
    }
  }
  assert.is(encoder.fedSamples.length, 0, 'refused before any work');
});

whisper('without a language, the model is asked which of its own it hears', async () => {
  const words = tokenizer.encode(' hello');
  const { whisper: subject, decoder } = open({
    score: (history) => {
      if (history.length > 1) return saying(words)(history);
      const logits = pointing(vocabularySize, words[0] as number, 0.5);
      // the tokenizer knows es, the model does not
      logits[573] = -1;
      logits[572] = -2;
      logits[570] = -3;
      return logits;
    },
  });
  const heard = await subject.transcribe(second);
  assert.is(heard.language, 'de');
  assert.equal(decoder.runs[0]?.fed, [569]);
  assert.equal(decoder.runs[1]?.fed, [569, 572, special.transcribe, special.noTimestamps]);
  assert.is(heard.text, 'hello');
});

whisper(
  'asked to listen for some languages only, it takes the likeliest of those, with one run of the encoder',
  async () => {
    const {
      whisper: subject,
      decoder,
      encoder,
    } = open({
      score: (history) => {
        if (history.length > 1) return saying([])(history);
        const logits = pointing(vocabularySize, 570, 0.5);
        logits[571] = -2;
        logits[572] = -3;
        return logits;
      },
    });
    assert.is((await subject.transcribe(second)).language, 'en');
    const asked = await subject.transcribe(second, { candidates: ['de', 'zh'] });
    assert.is(asked.language, 'zh');
    assert.is(encoder.fedSamples.length, 2, 'one run an utterance');
    decoder.runs.length = 0;
    assert.is((await subject.transcribe(second, { candidates: ['de'] })).language, 'de');
    assert.equal(
      decoder.runs[0]?.fed,
      [569, 572, special.transcribe, special.noTimestamps],
      'nothing to ask',
    );
    assert.is((await subject.transcribe(second, { candidates: [] })).language, 'en', 'none named: all');
    assert.is((await subject.transcribe(second, { language: 'en', candidates: ['de'] })).language, 'en');
    try {
      await subject.transcribe(second, { candidates: ['en', 'fr'] });
      assert.unreachable();
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'MODEL_UNSUPPORTED');
      assert.match((thrown as Fault).message, 'language is "fr", the model knows en, zh, de');
    }
  },
);

whisper('a model of one language is not asked; an English-only model is told nothing', async () => {
  const one = open({ score: saying([]) }, { generation: { ...multilingual, lang_to_id: { '<|zh|>': 571 } } });
  assert.is((await one.whisper.transcribe(second)).language, 'zh');
  assert.equal(one.decoder.runs[0]?.fed, [569, 571, special.transcribe, special.noTimestamps]);

  // the vocabulary of these tests is below 51865: without a word of it in the configuration, English only
  for (const generation of [{ is_multilingual: false }, {}]) {
    const only = open({ score: saying([]) }, { generation });
    assert.equal(only.whisper.languages, ['en']);
    assert.equal(only.whisper.tasks, ['transcribe']);
    assert.is((await only.whisper.transcribe(second)).language, 'en');
    assert.equal(only.decoder.runs[0]?.fed, [569, special.noTimestamps]);
  }
});

whisper('text before goes in front, its end if it is long', async () => {
  const { whisper: subject, decoder } = open({
    score: saying([]),
    noSpeechProb: (history) => history.length / 1000,
  });
  const brief = await subject.transcribe(second, { ...english, previousText: '  Zürich, Küche ' });
  const expected = tokenizer.encode(' Zürich, Küche');
  const start = [569, 570, special.transcribe, special.noTimestamps];
  assert.equal(decoder.runs[0]?.fed, [special.startOfPrevious, ...expected, ...start]);
  assert.ok(Math.abs((brief.noSpeechProb ?? 0) - (expected.length + 2) / 1000) < 1e-6);
  await subject.transcribe(second, { ...english, previousText: 'the quick brown fox '.repeat(200) });
  const long = decoder.runs.at(-1)?.fed ?? [];
  assert.is(long.length, 1 + 223 + 4);
  const all = tokenizer.encode(` ${'the quick brown fox '.repeat(200)}`.trimEnd());
  assert.equal(long.slice(1, -4), all.slice(-223));
});

whisper('timestamps cut the text into pieces, and end where the sound ends', async () => {
  const [one, two] = [tokenizer.encode(' hello'), tokenizer.encode(' good night')];
  const answer = [at(0.2), ...one, at(1), at(1), ...two, at(2.9), at(2.9)];
  const { whisper: subject, decoder } = open({ score: saying(answer, 0.98), noSpeechProb: () => 0.02 });
  const sound = new Float32Array(2.5 * 16_000);
  const heard = await subject.transcribe(sound, { ...english, timestamps: true });
  assert.equal(decoder.runs[0]?.fed, [569, 570, special.transcribe]);
  assert.is(heard.text, 'hello good night');
  assert.is(heard.pieces.length, 2);
  assert.equal(
    heard.pieces.map(({ text, startMs, endMs }) => ({ text, startMs, endMs })),
    [
      { text: 'hello', startMs: 200, endMs: 1000 },
      // 2.9 s is beyond the sound: some earlier timestamp was taken, or the end
      { text: 'good night', startMs: 1000, endMs: heard.pieces[1]?.endMs as number },
    ],
  );
  assert.ok((heard.pieces[1]?.endMs as number) <= 2500);
  assert.ok(heard.tokens.every((token) => token <= at(2.5)));
});

whisper('asked for timestamps, a model without any gives one piece', async () => {
  const own = readTokenizer(readFileSync(path.join(repoDir, 'models/embedded/tokenizer.json'), 'utf8'), 1000);
  const small: WhisperShape = { ...shape, vocabularySize: 1000, maxTextTokens: 64 };
  const decoder = scriptedDecoder({
    shape: small,
    score: (history) => pointing(1000, [99, 67, 37, 612, 228][history.length - 4] ?? 0, 0.9),
  });
  const subject = openWhisper({
    shape: small,
    generation: JSON.parse(
      readFileSync(path.join(repoDir, 'models/embedded/generation_config.json'), 'utf8'),
    ),
    tokenizer: own,
    encoder: scriptedEncoder(small),
    decoder,
  });
  assert.not(subject.writesTimestamps);
  assert.equal(subject.tasks, ['transcribe']);
  const heard = await subject.transcribe(second, { timestamps: true, previousText: 'ignored' });
  assert.is(heard.text, 'turn on the kitchen lights');
  assert.equal(decoder.runs[0]?.fed, [1, 2, 3, 4]);
  assert.equal(
    heard.pieces.map(({ startMs, endMs }) => [startMs, endMs]),
    [[0, 1000]],
  );
});

whisper(
  'a wild guess is tried again at higher temperatures; the likeliest is withheld if still too wild',
  async () => {
    const words = tokenizer.encode(' good night');
    const { whisper: subject, decoder } = open({ score: saying(words, 0.05), noSpeechProb: () => 0.1 });
    const heard = await subject.transcribe(second, english);
    assert.is(heard.rejected, 'low-log-prob');
    assert.is(heard.text, '');
    assert.equal(heard.pieces, []);
    assert.ok(heard.tokens.length > 0, 'what was withheld can be seen');
    assert.ok(heard.avgLogProb < -1);
    assert.equal(heard.tokens, words, 'the likeliest of the six, not the last');
    const looks = decoder.runs.filter(({ fetched, phase }) => phase === 0 && fetched.includes('logits'));
    assert.is(looks.length, 1, 'the prompt is not run again for each');
    assert.ok(decoder.runs.length > 6 * words.length, `${decoder.runs.length} runs`);
  },
);

whisper('a higher temperature gets out of a loop; the same seed the same way', async () => {
  // greedy goes round for ever; whoever once takes another way ends soon
  const loop = tokenizer.encode('h')[0] as number;
  const out = tokenizer.encode('good night');
  const score = (history: readonly number[]): Float32Array => {
    const sampled = history.slice(4);
    const strayed = sampled.findIndex((token) => token !== loop);
    if (strayed < 0) {
      const logits = new Float32Array(vocabularySize).fill(-30);
      logits[loop] = 1;
      logits[out[0] as number] = 0;
      return logits;
    }
    return pointing(vocabularySize, out[sampled.length - strayed] ?? endOfText, 0.99);
  };
  const { whisper: subject } = open({ score });
  const heard = await subject.transcribe(second, { ...english, seed: 3 });
  assert.ok(heard.temperature > 0, `temperature ${heard.temperature}`);
  assert.is(heard.rejected, undefined);
  assert.match(heard.text, 'good night');
  const again = await subject.transcribe(second, { ...english, seed: 3 });
  assert.equal(again.tokens, heard.tokens);
  const greedyOnly = open({ score }, { defaults: { temperatures: [0] } });
  assert.is((await greedyOnly.whisper.transcribe(second, english)).rejected, 'repetition');
});

whisper('best-of takes the likeliest of several draws', async () => {
  const words = tokenizer.encode(' good night');
  const script = { score: saying(words, 0.25) };
  const decode = async (bestOf: number): Promise<Transcription> => {
    const { whisper: subject } = open(script, {
      defaults: { temperatures: [0.7], bestOf, minAvgLogProb: -100 },
    });
    return subject.transcribe(second, { ...english, seed: 1 });
  };
  const [one, eight] = [await decode(1), await decode(8)];
  assert.ok(eight.avgLogProb >= one.avgLogProb, 'the first draw is among the eight');
  assert.is(eight.temperature, 0.7);
});

whisper('silence is not tried again', async () => {
  const { whisper: subject, decoder } = open({
    score: saying(tokenizer.encode(' good night'), 0.05),
    noSpeechProb: () => 0.7,
  });
  const heard = await subject.transcribe(second, english);
  assert.is(heard.rejected, 'no-speech');
  assert.is(decoder.runs.filter((run) => run.fetched.includes('logits')).length, 0, 'greedy only');
});

whisper('a high no-speech probability does not silence a sure text', async () => {
  const { whisper: subject } = open({
    score: saying(tokenizer.encode(' good night')),
    noSpeechProb: () => 0.9,
  });
  assert.is((await subject.transcribe(second, english)).text, 'good night');
});

whisper('nothing, blanks and lone punctuation are empty', async () => {
  for (const text of ['', '   ', ' . . .', ' “…”!']) {
    const { whisper: subject } = open({ score: saying(tokenizer.encode(text)) });
    const heard = await subject.transcribe(second, english);
    assert.is(heard.rejected, 'empty', JSON.stringify(text));
    assert.is(heard.text, '');
  }
});

whisper("the card's threshold decides what is believed", async () => {
  const script = { score: saying(tokenizer.encode(' good night'), 0.5) };
  const believed = await open(script, { defaults: { minAvgLogProb: -0.8 } }).whisper.transcribe(
    second,
    english,
  );
  assert.is(believed.text, 'good night');
  const withheld = await open(script, { defaults: { minAvgLogProb: -0.6 } }).whisper.transcribe(
    second,
    english,
  );
  assert.is(withheld.rejected, 'low-log-prob');
  assert.is(withheld.temperature, 0, 'a mere doubt is not worth six attempts');
});

whisper('numbers that are none are not believed', async () => {
  const { whisper: subject, decoder } = open({ score: saying(tokenizer.encode(' good night')) });
  const { run } = decoder;
  Object.assign(decoder, {
    run: async (...call: Parameters<typeof run>) => {
      const out = await run(...call);
      out['log_prob']?.data.fill(Number.NaN as never);
      return out;
    },
  });
  const heard = await subject.transcribe(second, english);
  assert.ok(heard.temperature > 0 || heard.rejected !== undefined);
});

whisper('the longer the sound, the more it may say', async () => {
  const score = (history: readonly number[]): Float32Array =>
    pointing(vocabularySize, 1 + ((history.length * 37) % 500), 0.9);
  const { whisper: subject } = open({ score }, { defaults: { maxCompressionRatio: 1000 } });
  assert.is((await subject.transcribe(second, english)).tokens.length, 16 + 20);
  assert.is((await subject.transcribe(new Float32Array(5 * 16_000), english)).tokens.length, 16 + 100);
  assert.is((await subject.transcribe(new Float32Array(480_000), english)).tokens.length, 444);
});

/** Says each of `answers` in turn, one for every time the sound is heard, as sure as it says. */
const hearing = (
  answers: readonly (readonly [text: string, probability: number])[],
  parts: Partial<WhisperParts>,
) => {
  let encoder: { readonly fedSamples: readonly number[] } = { fedSamples: [] };
  const score = (history: readonly number[]) => {
    const [text, probability] = answers[encoder.fedSamples.length - 1] ?? ['too often', 0.9];
    return saying(tokenizer.encode(` ${text}`), probability)(history);
  };
  const opened = open({ score }, parts);
  encoder = opened.encoder;
  const { fedSamples, fedSounds } = opened.encoder;
  return { whisper: opened.whisper, heardSamples: fedSamples, heardSounds: fedSounds };
};

whisper('a doubtful sound is heard again at other speeds, and the likeliest text is taken', async () => {
  const defaults = { otherSpeeds: [0.8, 1.25] };
  const sure = hearing([['on', 0.95]], { defaults });
  assert.is((await sure.whisper.transcribe(second, english)).text, 'on');
  assert.equal(sure.heardSamples, [16_000], 'sure at once');

  const doubted = hearing(
    [
      ['on', 0.6],
      ['off', 0.7],
      ['of', 0.65],
    ],
    { defaults },
  );
  const heard = await doubted.whisper.transcribe(second, english);
  assert.is(heard.text, 'off');
  assert.equal(doubted.heardSamples, [16_000, 20_160, 12_800], '1 s, 1.25 s filled up, 0.8 s');
  assert.ok(Math.abs(heard.avgLogProb - Math.log(0.7)) < 1e-4);

  const settled = hearing(
    [
      ['on', 0.6],
      ['off', 0.9],
    ],
    { defaults },
  );
  assert.is((await settled.whisper.transcribe(second, english)).text, 'off');
  assert.is(settled.heardSamples.length, 2, 'sure the second time');

  const kept = hearing(
    [
      ['on', 0.7],
      ['off', 0.6],
      ['of', 0.65],
    ],
    { defaults },
  );
  assert.is((await kept.whisper.transcribe(second, english)).text, 'on');

  const easier = hearing([['on', 0.6]], { defaults: { ...defaults, doubtBelowLogProb: Math.log(0.5) } });
  await easier.whisper.transcribe(second, english);
  assert.is(easier.heardSamples.length, 1);

  const never = hearing([['on', 0.6]], {});
  await never.whisper.transcribe(second, english);
  assert.is(never.heardSamples.length, 1, 'unless the card says so');
});

whisper(
  'a doubtful sound is heard again without its noise, and at other speeds as it was likelier',
  async () => {
    const random = randomFrom(1);
    const noisy = Float32Array.from(second, () => random() - 0.5);
    const loudness = (samples: ArrayLike<number>) => Math.max(...Array.from(samples, Math.abs));
    const defaults = { hearDenoised: true, otherSpeeds: [0.8] };
    const heardOf = async (...probabilities: readonly number[]) => {
      const answers = probabilities.map(
        (probability, at) => [['on', 'off', 'of'][at] as string, probability] as const,
      );
      const { whisper: subject, heardSounds } = hearing(answers, { defaults });
      return { text: (await subject.transcribe(noisy, english)).text, loudness: heardSounds.map(loudness) };
    };

    const settled = await heardOf(0.6, 0.9);
    assert.is(settled.text, 'off');
    assert.is(settled.loudness.length, 2, 'sure the second time');
    assert.ok((settled.loudness[1] as number) < 0.5 * (settled.loudness[0] as number), 'quieter');

    const quieter = await heardOf(0.6, 0.65, 0.7);
    assert.is(quieter.text, 'of');
    assert.ok((quieter.loudness[2] as number) < 0.5 * (quieter.loudness[0] as number));

    const asItWas = await heardOf(0.65, 0.6, 0.7);
    assert.is(asItWas.text, 'of');
    assert.ok((asItWas.loudness[2] as number) > 0.8 * (asItWas.loudness[0] as number));

    const silent = hearing([['on', 0.6]], { defaults: { hearDenoised: true } });
    await silent.whisper.transcribe(second, english);
    assert.is(silent.heardSamples.length, 1, 'where there is no noise to be told, once');
  },
);

whisper('times of what was heard at another speed are those of the sound', async () => {
  const one = tokenizer.encode(' hello');
  let fed: readonly number[] = [];
  const opened = open(
    {
      score: (history) =>
        fed.length === 1
          ? saying([at(0), ...one, at(0.2)], 0.7)(history)
          : saying([at(0.2), ...one, at(0.8)], 0.98)(history),
    },
    { defaults: { otherSpeeds: [0.5], doubtBelowLogProb: 0 } },
  );
  fed = opened.encoder.fedSamples;
  const heard = await opened.whisper.transcribe(second, { ...english, timestamps: true });
  assert.equal(
    heard.pieces.map(({ text, startMs, endMs }) => ({ text, startMs, endMs })),
    [{ text: 'hello', startMs: 100, endMs: 400 }],
  );
});

whisper('a sound that would be too long at another speed is not heard at it', async () => {
  const long = hearing(
    [
      ['on', 0.6],
      ['off', 0.7],
    ],
    { defaults: { otherSpeeds: [0.5, 2] } },
  );
  assert.is((await long.whisper.transcribe(new Float32Array(300_000), english)).text, 'off');
  assert.equal(long.heardSamples, [300_160, 150_080]);
});

whisper('silence is not heard again', async () => {
  const { whisper: subject, encoder } = open(
    { score: saying(tokenizer.encode(' you'), 0.3), noSpeechProb: () => 0.9 },
    { defaults: { otherSpeeds: [0.8], temperatures: [0] } },
  );
  assert.is((await subject.transcribe(second, english)).rejected, 'no-speech');
  assert.is(encoder.fedSamples.length, 1);
});

whisper('graphs of another contract, and files of different models, are refused', () => {
  const faultOf = (parts: Partial<WhisperParts>): Fault => {
    try {
      open({ score: saying([]) }, parts);
    } catch (thrown) {
      assert.instance(thrown, Fault);
      return thrown as Fault;
    }
    throw new Error('not refused');
  };
  const encoder = scriptedEncoder(shape);
  const deeper = { ...shape, decoderLayers: 2 };
  const shallowEncoder = faultOf({ shape: deeper });
  assert.is(shallowEncoder.code, 'MODEL_INVALID');
  assert.match(shallowEncoder.message, 'cross_key_1');
  const shallowDecoder = faultOf({ shape: deeper, encoder: scriptedEncoder(deeper) });
  assert.is(shallowDecoder.code, 'MODEL_INVALID');
  assert.match(shallowDecoder.message, 'self_key_1');
  const swapped = faultOf({ decoder: encoder });
  assert.match(swapped.message, 'tokens');
  const foreign = faultOf({ generation: { ...multilingual, lang_to_id: { '<|en|>': 571 } } });
  assert.is(foreign.code, 'MODEL_INVALID');
  assert.match(foreign.message, 'en at 571');
});

whisper('closing closes both graphs', async () => {
  const closed: string[] = [];
  const closing = (name: string) => ({
    close: async () => {
      closed.push(name);
    },
  });
  const subject = openWhisper({
    shape,
    generation: multilingual,
    tokenizer,
    encoder: { ...scriptedEncoder(shape), ...closing('encoder') },
    decoder: {
      ...scriptedDecoder({ shape, score: saying([]), timestamps: { first: 0, none: undefined } }),
      ...closing('decoder'),
    },
  });
  await subject.close();
  assert.equal(closed.sort(), ['decoder', 'encoder']);
});

whisper.run();
