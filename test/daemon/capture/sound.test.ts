import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { identify } from '../../../daemon/capture/container.ts';
import { openSound } from '../../../daemon/capture/sound.ts';
import { Fault } from '../../../daemon/faults.ts';
import { s16Of, sineOf, wavOf } from '../../fixtures/wav.ts';
import { announceSkip } from '../../skip.ts';

const sound = suite('sound');
const folder = mkdtempSync(path.join(tmpdir(), 'harkd-sound-'));
sound.after(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, content: Buffer | string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

async function read(file: string, environment?: NodeJS.ProcessEnv): Promise<Float32Array> {
  const heard: number[] = [];
  const opened = await openSound(file, { environment, warn: assert.unreachable });
  for await (const chunk of opened.chunks) heard.push(...chunk);
  return Float32Array.from(heard);
}

async function faultOf(file: string, environment?: NodeJS.ProcessEnv): Promise<Fault> {
  try {
    await read(file, environment);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('expected a fault, got sound');
}

sound('16 kHz mono comes out as it lies in the file', async () => {
  const samples = s16Of(sineOf(440, 16_000, 5000));
  const heard = await read(fileOf('a.wav', wavOf(samples)));
  assert.equal(s16Of(heard), samples);
});

sound('another rate comes out at 16 kHz and says what it was', async () => {
  const file = fileOf('b.wav', wavOf(s16Of(sineOf(440, 44_100, 44_100)), { sampleRateHz: 44_100 }));
  const opened = await openSound(file);
  assert.is(opened.description, 'WAV, 16-bit PCM, 44100 Hz, 1 channel');
  assert.is(opened.declaredMs, 1000);
  await opened.close();
  assert.is((await read(file)).length, 16_000);
});

const refusals: readonly [string, string, string, RegExp][] = [
  [
    'a text called .wav',
    fileOf('text.wav', '<!DOCTYPE html><p>404'),
    'AUDIO_INVALID',
    /is text.*"<!DOCTYPE html>/,
  ],
  ['an empty file', fileOf('empty.wav', ''), 'AUDIO_INVALID', /holds no sound: it is empty/],
  ['only a header', fileOf('h.wav', wavOf(Buffer.alloc(0))), 'AUDIO_INVALID', /holds no sound/],
  ['other bytes', fileOf('x.bin', Buffer.from('0102030405060708', 'hex')), 'AUDIO_INVALID', /01 02 03 04/],
  ['a missing file', path.join(folder, 'none.wav'), 'INPUT_MISSING', /does not exist/],
  ['a folder', folder, 'INPUT_MISSING', /is a folder/],
  ['a device', '/dev/null', 'INPUT_MISSING', /is a pipe or a device/],
];
for (const [what, file, code, message] of refusals) {
  sound(`refuses ${what}: ${code}`, async () => {
    const fault = await faultOf(file);
    assert.is(fault.code, code);
    assert.match(fault.message, message);
    assert.ok(fault.hint.length > 0);
  });
}

sound('without ffmpeg, another container or codec names it and how to get it', async () => {
  const nowhere = { PATH: '/nonexistent' };
  for (const [file, what] of [
    [fileOf('a.flac', Buffer.from('fLaC\0\0\0\x22')), 'FLAC'],
    [fileOf('mp3-in.wav', wavOf(Buffer.alloc(64), { codec: 85 })), 'MP3'],
  ] as const) {
    const fault = await faultOf(file, nowhere);
    assert.is(fault.code, 'AUDIO_UNSUPPORTED');
    assert.match(
      fault.message,
      `is ${what}: WAV is read directly, all else through ffmpeg, which is not installed`,
    );
    assert.match(fault.hint, 'apt install ffmpeg');
  }
});

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
if (!hasFfmpeg) announceSkip('sound through ffmpeg', 'ffmpeg is not installed (sudo apt install ffmpeg)');
else {
  sound('with ffmpeg, FLAC comes out sample by sample, and rubbish is a fault', async () => {
    const samples = s16Of(sineOf(440, 16_000, 16_000));
    const wavFile = fileOf('c.wav', wavOf(samples));
    const file = path.join(folder, 'a:c.flac');
    assert.is(spawnSync('ffmpeg', ['-loglevel', 'error', '-i', wavFile, `file:${file}`]).status, 0);
    assert.equal(s16Of(await read(file)), samples);
    const fault = await faultOf(fileOf('bad.flac', Buffer.from(`fLaC${'x'.repeat(100)}`)));
    assert.is(fault.code, 'AUDIO_INVALID');
  });
}

const hasSox = spawnSync('sox', ['--version']).status === 0;
if (!hasSox) announceSkip('WAV as another program writes it', 'sox is not installed (sudo apt install sox)');
else {
  // sox's own reading of the same file is the reference: an encoder and a decoder that are not ours
  for (const [encoding, channels, rateHz] of [
    [['-b', '8', '-e', 'unsigned-integer'], 1, 16_000],
    [['-b', '16', '-e', 'signed-integer'], 2, 16_000],
    [['-b', '24', '-e', 'signed-integer'], 3, 16_000],
    [['-b', '32', '-e', 'signed-integer'], 1, 16_000],
    [['-b', '32', '-e', 'floating-point'], 2, 16_000],
    [['-b', '64', '-e', 'floating-point'], 1, 16_000],
  ] as const) {
    sound(`WAV as sox writes it: ${encoding.join(' ')}, ${channels} channels`, async () => {
      const file = path.join(folder, 'sox.wav');
      const make = ['-R', '-n', '-r', String(rateHz), '-c', String(channels), ...encoding, file];
      assert.is(spawnSync('sox', [...make, 'synth', '0.3', 'pinknoise', 'sine', '300-3000']).status, 0);
      const mix = [
        'remix',
        '-m',
        Array.from({ length: channels }, (_, i) => `${i + 1}v${1 / channels}`).join(','),
      ];
      const raw = ['-t', 'raw', '-b', '32', '-e', 'floating-point', '-'];
      const { stdout } = spawnSync('sox', [file, ...raw, ...mix]);
      const reference = new Float32Array(new Uint8Array(stdout).buffer);
      const heard = await read(file);
      assert.is(heard.length, 4800);
      assert.is(reference.length, 4800);
      const worst = heard.reduce(
        (most, sample, i) => Math.max(most, Math.abs(sample - (reference[i] as number))),
        0,
      );
      assert.ok(worst < 1e-6, `differs by ${worst}`);
    });
  }
}

sound('containers are known by their first bytes', () => {
  const kinds = [
    ['ID3\x04\0', 'foreign'],
    ['OggS', 'foreign'],
    ['\0\0\0\x20ftypM4A ', 'foreign'],
    ['\xff\xfb\x90\x64', 'foreign'],
    ['RIFF\0\0\0\0WAVE', 'wav'],
    ['RIFF\0\0\0\0AVI ', 'foreign'],
    ['plain words', 'text'],
    ['gr\xc3\xbc\xc3\x9fe', 'text'],
    ['\x00\x01\x02', 'unknown'],
    ['', 'empty'],
  ] as const;
  for (const [bytes, kind] of kinds) assert.is(identify(Buffer.from(bytes, 'latin1')).kind, kind, bytes);
});

sound.run();
