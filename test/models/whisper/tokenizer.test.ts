import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault, type FaultCode } from '../../../daemon/faults.ts';
import { readTokenizer } from '../../../models/whisper/tokenizer.ts';
import { readGolden } from '../../golden.ts';
import { randomFrom } from '../../random.ts';

const repoDir = path.join(import.meta.dirname, '../../../..');
const read = (file: string): string => readFileSync(path.join(repoDir, file), 'utf8');

const embeddedJson = read('models/embedded/tokenizer.json');
const embedded = readTokenizer(embeddedJson, 1000);
const whisperLikeJson = read('test/golden/tokenizer/whisper-like.json');
/** 568 pieces and 14 special tokens in the file, 1501 timestamps in the model only. */
const whisperLikeIds = 568 + 14 + 1501;
const whisperLike = readTokenizer(whisperLikeJson, whisperLikeIds);

type Case = { readonly text: string; readonly ids: readonly number[]; readonly decoded: string };
const cases = JSON.parse(read('test/golden/tokenizer/encodings.json')) as Record<
  'embedded' | 'whisper-like',
  readonly Case[]
>;

/** Whole numbers below a bound, the same on every run. */
function draws(seed: number): (below: number) => number {
  const random = randomFrom(seed);
  return (below) => Math.floor(random() * below);
}

const faultOf = (action: () => unknown): FaultCode | undefined => {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.code;
    throw thrown;
  }
  return undefined;
};

/** The tokenizer of `json` with its parsed form changed by `change`. */
const changed = (json: string, change: (parts: never) => void): string => {
  const parts = JSON.parse(json);
  change(parts as never);
  return JSON.stringify(parts);
};

const tokenizer = suite('tokenizer');

for (const [name, subject] of [
  ['embedded', embedded],
  ['whisper-like', whisperLike],
] as const) {
  tokenizer(`${name}: encodes and decodes as the reference implementation`, () => {
    assert.ok(cases[name].length > 150);
    for (const { text, ids, decoded } of cases[name]) {
      assert.equal(subject.encode(text), ids, JSON.stringify(text));
      // the reference writes U+FFFD for a last character cut off; nothing in these cases is
      assert.is(subject.decode(ids), decoded, JSON.stringify(text));
    }
  });
}

tokenizer('any Unicode survives encoding and decoding where every byte has a piece', () => {
  const draw = draws(7);
  for (let round = 0; round < 2_000; round++) {
    const points = Array.from({ length: draw(40) }, () => {
      const point = draw(4) === 0 ? draw(0x11_0000) : draw(4) === 0 ? draw(0x3000) : 0x20 + draw(0x60);
      return point >= 0xd800 && point < 0xe000 ? 0x20 : point;
    });
    const text = String.fromCodePoint(...points);
    assert.is(whisperLike.decode(whisperLike.encode(text)), text);
  }
});

tokenizer('the words of the embedded model survive, with the space each begins with', () => {
  const draw = draws(11);
  const letters = "abcdefghijklmnopqrstuvwxyz'";
  for (let round = 0; round < 200; round++) {
    const word = (): string => Array.from({ length: 1 + draw(9) }, () => letters[draw(27)]).join('');
    const text = Array.from({ length: 1 + draw(8) }, word).join(' ');
    assert.is(embedded.decode(embedded.encode(text)), ` ${text}`);
    assert.is(embedded.decode(embedded.encode(text.toUpperCase())), ` ${text}`);
  }
});

tokenizer('the golden tokens decode to the golden text', () => {
  const golden = readGolden();
  assert.is(golden.length, 10);
  for (const { tokens, text } of golden) {
    assert.is(embedded.decode(tokens), ` ${text}`);
    // not the same ids: the model chose other cuts of some words, as Whisper does
    assert.is(embedded.decode(embedded.encode(text)), ` ${text}`);
  }
});

tokenizer('special ids are those of the file', () => {
  const { languages, ...ids } = embedded.special;
  assert.equal(ids, {
    endOfText: 0,
    startOfTranscript: 1,
    startOfPrevious: undefined,
    noTimestamps: 4,
    noSpeech: 5,
    firstTimestamp: undefined,
    transcribe: 3,
    translate: undefined,
  });
  assert.equal([...languages], [['en', 2]]);
  assert.equal([...whisperLike.special.languages.keys()], ['en', 'zh', 'de', 'es', 'haw', 'yue']);
  assert.is(whisperLike.special.noSpeech, 568 + 12);
  assert.is(whisperLike.special.startOfPrevious, 568 + 11);
});

tokenizer('timestamps are found whether the file lists them or not', () => {
  assert.is(whisperLike.special.firstTimestamp, 568 + 14);
  const listed = changed(whisperLikeJson, (parts: { added_tokens: object[] }) => {
    for (let i = 0; i < 1501; i++) {
      const content = `<|${(i * 0.02).toFixed(2)}|>`;
      parts.added_tokens.push({ id: 568 + 14 + i, content, special: false });
    }
  });
  const subject = readTokenizer(listed, whisperLikeIds);
  assert.is(subject.special.firstTimestamp, 568 + 14);
  const words = subject.encode(' hello');
  assert.is(subject.decode([582, ...words, 582 + 50, 568]), ' hello');
});

tokenizer('special tokens and timestamps are not text, and text is never a special token', () => {
  const { special } = whisperLike;
  const words = whisperLike.encode(' hello');
  assert.is(whisperLike.decode([special.startOfTranscript, 570, 600, ...words, 700, 568]), ' hello');
  const written = whisperLike.encode('<|endoftext|><|en|>');
  assert.ok(written.every((id) => id < 568));
  assert.is(whisperLike.decode(written), '<|endoftext|><|en|>');
});

tokenizer('a character cut off at the end is left out; damage elsewhere shows', () => {
  const bytes = (text: string): number[] => [...text].flatMap((char) => whisperLike.encode(char));
  const kitchen = bytes('Ü');
  // 猫 is in no training sentence: three single bytes
  const cat = whisperLike.encode('猫');
  assert.is(cat.length, 3);
  for (const kept of [1, 2]) assert.is(whisperLike.decode([...kitchen, ...cat.slice(0, kept)]), 'Ü');
  assert.is(whisperLike.decode([...cat.slice(0, 2), ...kitchen]), '\ufffdÜ');
  assert.is(whisperLike.decode([...cat, ...cat.slice(1)]), '猫\ufffd\ufffd');
  // ids of no piece are nothing, not "undefined"
  assert.is(whisperLike.decode([...cat, 99_999]), '猫');
});

tokenizer('a tokenizer of another model is refused', () => {
  assert.is(
    faultOf(() => readTokenizer(embeddedJson, 999)),
    'MODEL_INVALID',
  );
  assert.is(
    faultOf(() => readTokenizer(embeddedJson, 51_865)),
    'MODEL_INVALID',
  );
  assert.is(
    faultOf(() => readTokenizer(whisperLikeJson, whisperLikeIds - 1)),
    'MODEL_INVALID',
  );
  assert.is(
    faultOf(() => readTokenizer(whisperLikeJson, whisperLikeIds + 128)),
    'MODEL_INVALID',
  );
  assert.is(
    faultOf(() => readTokenizer(embeddedJson, 1024)),
    undefined,
    'padded up to a multiple of 128',
  );
});

tokenizer('a damaged or foreign file is refused by name', () => {
  const refuse = (change: (parts: never) => void): FaultCode | undefined =>
    faultOf(() => readTokenizer(changed(embeddedJson, change), 1000));
  assert.is(
    faultOf(() => readTokenizer(embeddedJson.slice(0, -2), 1000)),
    'MODEL_INVALID',
  );
  for (const json of ['null', '[]', '3', '{}', '{"model":{"vocab":{},"merges":[]}}']) {
    assert.is(
      faultOf(() => readTokenizer(json, 1000)),
      'MODEL_INVALID',
      json,
    );
  }
  type Draft = Record<string, unknown> & {
    model: { vocab: Record<string, unknown>; merges: unknown[] } & Record<string, unknown>;
    added_tokens: { content: string }[];
  };
  const invalid: ((draft: Draft) => void)[] = [
    (draft) => draft.model.merges.push('Ġ nowhere'),
    (draft) => draft.model.merges.push('nospace'),
    (draft) => draft.model.merges.push(7),
    (draft) => draft.added_tokens.shift(),
    (draft) => {
      draft.model.vocab['x'] = -1;
    },
    (draft) => {
      draft.model.vocab['x'] = 4_000_000_000;
    },
  ];
  for (const [i, change] of invalid.entries()) {
    assert.is(refuse(change as (parts: never) => void), 'MODEL_INVALID', `damage ${i}`);
  }
  const foreign: ((draft: Draft) => void)[] = [
    (draft) => {
      draft.model['type'] = 'Unigram';
    },
    (draft) => {
      draft.model['byte_fallback'] = true;
    },
    (draft) => {
      draft['decoder'] = { type: 'Metaspace' };
    },
    (draft) => {
      draft['normalizer'] = { type: 'Precompiled' };
    },
    (draft) => {
      draft['pre_tokenizer'] = { type: 'Whitespace' };
    },
  ];
  for (const [i, change] of foreign.entries()) {
    assert.is(refuse(change as (parts: never) => void), 'MODEL_UNSUPPORTED', `kind ${i}`);
  }
});

tokenizer('whatever is wrong with a file, the answer is a tokenizer or a fault', () => {
  const draw = draws(23);
  const odd = [
    undefined,
    null,
    true,
    -1,
    1.5,
    7,
    2 ** 31,
    2 ** 53,
    '',
    'x',
    '<|en|>',
    [],
    {},
    [null],
    [[1, 2]],
  ];
  type Draft = Record<string, unknown>;
  /** Replaces, somewhere down the tree, one value by an odd one. */
  const damage = (node: Draft): void => {
    const keys = Object.keys(node);
    const key = keys[draw(keys.length)];
    if (key === undefined) return;
    const child = node[key];
    if (typeof child === 'object' && child !== null && draw(3) > 0) damage(child as Draft);
    else node[key] = structuredClone(odd[draw(odd.length)]);
  };
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 200; round++) {
    const draft = JSON.parse(embeddedJson) as Draft;
    for (let i = 0; i <= draw(3); i++) damage(draft);
    const json = JSON.stringify(draft);
    let subject: ReturnType<typeof readTokenizer>;
    try {
      subject = readTokenizer(json, 1000);
    } catch (thrown) {
      assert.instance(thrown, Fault, `round ${round}: ${thrown}`);
      outcomes.refused++;
      continue;
    }
    outcomes.read++;
    assert.type(subject.decode(subject.encode('turn on the <|en|> lights')), 'string');
  }
  assert.ok(outcomes.read > 30 && outcomes.refused > 30, JSON.stringify(outcomes));
});

tokenizer.run();
