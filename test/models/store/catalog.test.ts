import { readdirSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { boards, describeLanguages, findInCatalog, readCatalog } from '../../../models/store/catalog.ts';

const catalogDir = path.join(import.meta.dirname, '../../../..', 'models/catalog');
const cards = readCatalog(catalogDir);
const catalog = suite('catalog');

catalog('every card is whole and named as its file', () => {
  const names = new Set(readdirSync(catalogDir).map((file) => file.replace(/\.json$/, '')));
  assert.equal(names, new Set(cards.map(({ name }) => name)));
  assert.is(names.size, cards.length);
  for (const card of cards) {
    const keys = ['name', 'repository', 'licence', 'languages', 'parametersM', 'aboutMb', 'expected'];
    assert.equal(
      Object.keys(card).filter((key) => !keys.includes(key)),
      [],
      card.name,
    );
    assert.match(card.name, /^[a-z0-9][a-z0-9.-]+$/);
    assert.match(card.repository, /^(openai|distil-whisper)\/[a-z0-9.-]+$/);
    assert.match(card.licence, /^(apache-2\.0|mit)$/);
    assert.ok(card.parametersM > 30 && card.parametersM < 2000, card.name);
    // float16 or float32 weights: two or four bytes a parameter
    if (card.aboutMb !== undefined) {
      const bytesEach = card.aboutMb / card.parametersM;
      assert.ok(
        Math.abs(bytesEach - 2) < 0.15 || Math.abs(bytesEach - 4) < 0.15,
        `${card.name}: ${bytesEach}`,
      );
    }
    assert.equal(Object.keys(card.expected), [...boards], card.name);
    for (const text of Object.values(card.expected)) assert.match(text, /^[a-z].+[^.]$/);
  }
});

catalog('an English-only name has English only, and the other way round', () => {
  for (const { name, languages } of cards) {
    const english = name.endsWith('.en') || name.startsWith('distil-');
    assert.is(describeLanguages(languages) === 'English', english, name);
    if (!english) assert.is(languages, name.startsWith('large-v3') ? 100 : 99);
  }
});

catalog('a model is found by name, repository or the last part of it', () => {
  for (const card of cards) {
    assert.is(findInCatalog(cards, card.name), card);
    assert.is(findInCatalog(cards, card.repository), card);
    assert.is(findInCatalog(cards, card.repository.split('/')[1] ?? ''), card);
  }
  assert.is(findInCatalog(cards, 'OpenAI/Whisper-Tiny.en')?.name, 'tiny.en');
  assert.is(findInCatalog(cards, 'whisper'), undefined);
});

catalog('the smallest comes first', () => {
  const sizes = cards.map(({ parametersM }) => parametersM);
  assert.equal(
    sizes,
    sizes.toSorted((a, b) => a - b),
  );
});

catalog.run();
