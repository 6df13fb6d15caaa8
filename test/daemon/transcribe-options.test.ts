/** What can be asked of the decoder on the command line, and a compiled folder as the model. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { harkd, startDaemon } from '../fixtures/daemon.ts';
import { demoDir, household, sentencesOf } from '../fixtures/demo.ts';
import { randomFrom } from '../random.ts';

const spoken = sentencesOf('household.wav');

type Timed<T> = T & { readonly startMs: number; readonly endMs: number; readonly text: string };

/** A recording of 16 bits with noise in it, the same for each seed. */
function noisy(file: string, level: number, seed: number): Buffer {
  const bytes = readFileSync(file);
  const random = randomFrom(seed);
  for (let at = bytes.indexOf('data') + 8; at + 1 < bytes.length; at += 2) {
    const sample = bytes.readInt16LE(at) + (random() + random() + random() - 1.5) * level;
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample))), at);
  }
  return bytes;
}

/** What is compiled for the test stays in `folder`. */
const run = (folder: string, ...args: readonly string[]) =>
  harkd(['transcribe', ...args], { CACHE_DIRECTORY: folder });

const test = suite<{ folder: string }>('transcribe, asked for more');

test.before.each((world) => {
  world.folder = mkdtempSync(path.join(tmpdir(), 'harkd-options-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

test('words: when each was said, in order, inside what was said', async ({ folder }) => {
  const { code, stdout, stderr } = await run(folder, '--words', '--format', 'json', household);
  assert.is(code, 0, stderr);
  const { segments } = JSON.parse(stdout) as { segments: Timed<{ words: Timed<{ prob: number }>[] }>[] };
  assert.is(segments.length, spoken.length);
  for (const [index, { startMs, endMs, text, words }] of segments.entries()) {
    assert.equal(
      words.map((word) => word.text),
      text.split(' '),
    );
    const times = words.flatMap((word) => [word.startMs, word.endMs]);
    assert.equal(
      times,
      times.toSorted((a, b) => a - b),
      text,
    );
    assert.ok((times[0] ?? 0) >= startMs && (times.at(-1) ?? 0) <= endMs, text);
    for (const { prob } of words) assert.ok(prob > 0 && prob <= 1, text);
    // the first and the last word are where they were spoken
    const sentence = spoken[index];
    assert.ok(Math.abs((times[0] ?? 0) - (sentence?.startMs ?? 0)) < 200, text);
    assert.ok(Math.abs((times.at(-1) ?? 0) - (sentence?.endMs ?? 0)) < 600, text);
  }
});

test('beam search and key terms hear more of a recording full of noise', async ({ folder }) => {
  const [{ text: said } = { text: '' }] = sentencesOf('volume.wav');
  const files = [7000, 9000].flatMap((level) =>
    [1, 2, 3, 4, 5, 6].map((seed) => {
      const file = path.join(folder, `${level}-${seed}.wav`);
      writeFileSync(file, noisy(path.join(demoDir, 'volume.wav'), level, seed));
      return file;
    }),
  );
  const heard = async (...options: string[]): Promise<number> => {
    const { code, stdout, stderr } = await run(folder, '--json', ...options, ...files);
    assert.is(code, 0, stderr);
    assert.is(stderr, '', 'nothing to say, however many files there are');
    const results = stdout.trim().split('\n');
    return results.filter((line) => (JSON.parse(line) as { text: string }).text === said).length;
  };
  const likeliest = await heard('--beam-size', '1');
  const beam = await heard('--beam-size', '3');
  const expected = await heard('--beam-size', '1', '--key-term', 'volume', '--key-term', 'bedroom');
  assert.ok(likeliest > 0 && likeliest < files.length, `${likeliest} of ${files.length}`);
  assert.ok(beam > likeliest, `${beam} with a beam, ${likeliest} without`);
  assert.ok(expected > likeliest, `${expected} with the word expected, ${likeliest} without`);
});

test('what is doubted is heard again, unless that is turned off', async ({ folder }) => {
  const files = [1, 2, 3, 4].map((seed) => {
    const file = path.join(folder, `${seed}.wav`);
    writeFileSync(file, noisy(path.join(demoDir, 'volume.wav'), 3500, seed));
    return file;
  });
  const certainties = async (hearAgain: string): Promise<number[]> => {
    const environment = { CACHE_DIRECTORY: folder, HARKD_HEAR_AGAIN: hearAgain };
    const { code, stdout, stderr } = await harkd(['transcribe', '--json', '--no-vad', ...files], environment);
    assert.is(code, 0, stderr);
    const results = stdout.trim().split('\n');
    return results.map((line) => {
      const { segments } = JSON.parse(line) as { segments: { avgLogProb: number }[] };
      return segments[0]?.avgLogProb ?? -10;
    });
  };
  const [once, again] = [await certainties('false'), await certainties('true')];
  assert.ok(
    again.every((certainty, index) => certainty >= (once[index] as number)),
    'never less sure',
  );
  assert.ok(
    again.some((certainty, index) => certainty > (once[index] as number) + 0.01),
    `${once} once, ${again} again`,
  );
});

test('options that cannot be are named', async ({ folder }) => {
  for (const [option, value, key] of [
    ['--beam-size', '0', 'beamSize'],
    ['--key-term', ' ', 'keyTerms'],
  ] as const) {
    const { code, stderr } = await run(folder, option, value, household);
    assert.is(code, 78, option);
    assert.match(stderr, `command line: ${key}`);
  }
});

test('a compiled folder is a model: by transcribe, and by the configuration of a daemon', async ({
  folder,
}) => {
  const model = path.join(folder, 'model');
  const compiled = await harkd(['models', 'compile', 'embedded', '--output', model, '--no-compare']);
  assert.is(compiled.code, 0, compiled.stderr);
  const config = path.join(folder, 'harkd.yaml');
  writeFileSync(config, JSON.stringify({ model, stateDir: folder }));
  const lights = path.join(demoDir, 'lights.wav');
  const { code, stdout, stderr } = await run(folder, '--config', config, lights);
  assert.is(code, 0, stderr);
  assert.is(stdout.trim(), sentencesOf('lights.wav')[0]?.text);
  const daemon = startDaemon(['--config', config, '--source', `file:${lights}`, '--pace', 'fast', '--once']);
  assert.is(await daemon.exited, 0, JSON.stringify(daemon.log));
  assert.ok(daemon.log.some(({ msg }) => msg.endsWith(`says: ${sentencesOf('lights.wav')[0]?.text}`)));
});

test.run();
