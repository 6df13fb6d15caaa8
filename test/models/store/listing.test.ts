import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { chooseFiles, chooseShards, readListing } from '../../../models/store/listing.ts';
import { faultOf } from '../../faults.ts';
import { randomFrom } from '../../random.ts';

const listing = suite('listing');
const commit = 'c'.repeat(40);
const sha256 = 'a'.repeat(64);
const small = (rfilename: unknown) => ({ rfilename, size: 10, blobId: 'b'.repeat(40) });
const large = (rfilename: string) => ({
  ...small(rfilename),
  size: 5e8,
  lfs: { sha256, size: 5e8, pointerSize: 134 },
});
const text = (siblings: unknown, sha: unknown = commit) =>
  JSON.stringify({ id: 'a/b', sha, siblings, cardData: { license: 'mit' } });
const whole = [small('config.json'), small('tokenizer.json'), small('README.md'), large('model.safetensors')];

listing('a large file is known by its sha256, a small one by its name in git', () => {
  const read = readListing(text(whole));
  assert.is(read.commit, commit);
  assert.is(read.licence, 'mit');
  assert.equal(read.files[0], {
    path: 'config.json',
    sizeBytes: 10,
    hash: { kind: 'git-sha1', hex: 'b'.repeat(40) },
  });
  assert.equal(read.files[3], {
    path: 'model.safetensors',
    sizeBytes: 5e8,
    hash: { kind: 'sha256', hex: sha256 },
  });
  const { small: smallFiles, weights } = chooseFiles('a/b', read);
  assert.equal(
    smallFiles.map(({ path }) => path),
    ['config.json', 'tokenizer.json'],
  );
  assert.equal(
    weights?.map(({ path }) => path),
    ['model.safetensors'],
  );
});

for (const [what, answer] of [
  ['a path that climbs', text([...whole, small('../../etc/passwd')])],
  ['a path that climbs in the middle', text([...whole, small('a/../../b')])],
  ['an absolute path', text([...whole, small('/etc/passwd')])],
  ['a path of another system', text([...whole, small('..\\b')])],
  ['a path with a control character', text([...whole, small('a\u001b[2Jb')])],
  ['a path with a zero', text([...whole, small('a\u0000b')])],
  ['an empty path', text([...whole, small('')])],
  ['a path that is no text', text([...whole, small(7)])],
  ['a file twice', text([...whole, small('config.json')])],
  ['a negative size', text([{ ...small('config.json'), size: -1 }])],
  ['a size of no whole number', text([{ ...small('config.json'), size: 1.5 }])],
  ['a size as text', text([{ ...small('config.json'), size: '10' }])],
  ['a size of a petabyte', text([{ ...small('config.json'), size: 1e15 }])],
  ['no size', text([{ rfilename: 'config.json', blobId: 'b'.repeat(40) }])],
  ['no hash', text([{ rfilename: 'config.json', size: 10 }])],
  ['a short sha256', text([{ ...large('model.safetensors'), lfs: { sha256: 'abc', size: 5e8 } }])],
  ['two sizes', text([{ ...large('model.safetensors'), lfs: { sha256, size: 1 } }])],
  ['a file that is none', text([null])],
  ['a list that is none', text({})],
  ['ten thousand and one files', text(Array.from({ length: 10_001 }, (_, i) => small(`f${i}`)))],
  ['a branch for a commit', text(whole, 'main')],
  ['a commit that climbs', text(whole, `../${'c'.repeat(37)}`)],
  ['no JSON', '<html>Please log in</html>'],
  ['null', 'null'],
] as const) {
  listing(`${what} is not believed`, async () => {
    const fault = await faultOf(() => readListing(answer));
    assert.is(fault.code, 'HUB_ANSWER_INVALID');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of this kind may reach a terminal
    assert.not.match(fault.message, /[\u0000-\u001f]/);
    assert.ok(fault.message.length < 200);
  });
}

listing('a licence that is no identifier is left out', () => {
  const answer = JSON.stringify({ sha: commit, siblings: whole, cardData: { license: 'mit\u001b[2J' } });
  assert.is(readListing(answer).licence, undefined);
});

listing('what harkd cannot do without is named, before anything is fetched', async () => {
  const without = (name: string) => readListing(text(whole.filter(({ rfilename }) => rfilename !== name)));
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
    const fault = await faultOf(() => chooseFiles('a/b', without(name)));
    assert.is(fault.code, 'MODEL_UNSUPPORTED');
    assert.ok(fault.message.includes(name));
  }
  const pickle = readListing(
    text([small('config.json'), small('tokenizer.json'), large('pytorch_model.bin')]),
  );
  assert.match((await faultOf(() => chooseFiles('a/b', pickle))).hint, /pickle/);
});

listing('shards are files of the repository, by plain names', async () => {
  const shard = 'model-00001-of-00002.safetensors';
  const read = readListing(text([...whole, large(shard)]));
  const index = (map: unknown) => JSON.stringify({ weight_map: map });
  assert.equal(
    chooseShards(index({ a: shard, b: shard, c: 'model.safetensors' }), read).map(({ path }) => path),
    [shard, 'model.safetensors'],
  );
  for (const bad of [
    '../up.safetensors',
    'a/b.safetensors',
    '.hidden.safetensors',
    'model.bin',
    7,
    null,
    'not-there.safetensors',
  ]) {
    assert.is(
      (await faultOf(() => chooseShards(index({ a: bad }), read))).code,
      'MODEL_INVALID',
      String(bad),
    );
  }
  for (const bad of ['{}', '[', 'null', index([]), index({})]) {
    assert.is((await faultOf(() => chooseShards(bad, read))).code, 'MODEL_INVALID', bad);
  }
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`t${i}`, `m${i}.safetensors`]));
  assert.is((await faultOf(() => chooseShards(index(many), read))).code, 'MODEL_INVALID');
});

listing('any damage is a fault or another list, never a crash', () => {
  const random = randomFrom(7);
  const good = text(whole);
  for (let rounds = 0; rounds < 1000; rounds++) {
    const at = Math.floor(random() * good.length);
    const cut = Math.floor(random() * 6);
    const insert = ['', '"', '}', ']', '\\u0000', '-1', 'null', '../', '[[['][Math.floor(random() * 9)];
    const damaged = `${good.slice(0, at)}${insert}${good.slice(at + cut)}`;
    try {
      chooseFiles('a/b', readListing(damaged));
    } catch (thrown) {
      assert.ok(thrown instanceof Fault, damaged);
    }
  }
});

listing.run();
