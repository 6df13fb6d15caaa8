/**
 * whisper.cpp by its command line, which is all it installs. One process an utterance; what it says of its own stages is
 * taken, so neither starting nor loading counts.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { s16Of, wavOf } from '../fixtures/wav.ts';
import { writeGgml } from './ggml.ts';
import type { Heard, Peer, PeerFiles } from './peer.ts';

const program = 'whisper-cli';
const stages = ['mel', 'sample', 'encode', 'decode', 'batchd', 'prompt'] as const;
/** One position is 20 ms. */
const fittedContext = (samples: number): number => Math.ceil(samples / 320);

/** Undefined where it is not on the PATH. */
export function findWhisperCpp(): string | undefined {
  try {
    return execFileSync('which', [program], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

export function whisperCppVersion(): string | undefined {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8' }).trim().replace(/^.*: /, '');
  } catch {
    return undefined;
  }
}

async function prepare({ modelDir, workDir }: PeerFiles): Promise<void> {
  const file = path.join(workDir, 'ggml-q8_0.bin');
  if (!existsSync(`${file}.whole`)) writeGgml(modelDir, file);
  writeFileSync(`${file}.whole`, '');
}

const msOf = (log: string, stage: string): number => {
  const found = new RegExp(`${stage} time =\\s*([\\d.]+) ms`).exec(log);
  if (found === null) throw new Error(`${program} says nothing of its ${stage} time:\n${log}`);
  return Number(found[1]);
};

async function run(args: readonly string[]): Promise<Heard> {
  // bash's `time` is the one way to a child's processor time that needs nothing installed
  const child = spawn('bash', [
    '-c',
    `TIMEFORMAT='used %U %S of %R'; time ${program} "$@"`,
    program,
    ...args,
  ]);
  let [out, log] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${log}`);
  const stagesMs = Object.fromEntries(stages.map((stage) => [stage, msOf(log, stage)]));
  const wallMs = Object.values(stagesMs).reduce((sum, ms) => sum + ms, 0);
  const [, user = 0, system = 0, real = 1] =
    /used ([\d.]+) ([\d.]+) of ([\d.]+)/.exec(log)?.map(Number) ?? [];
  return {
    text: out.trim(),
    tokens: undefined,
    stagesMs,
    // the process was preempted in its stages as much as in the rest of it
    own: { wallMs, cpuMs: wallMs * Math.min(1, (user + system) / real), loadMs: msOf(log, 'load') },
  };
}

async function open({ workDir, threads }: PeerFiles, fitted: boolean) {
  const model = path.join(workDir, 'ggml-q8_0.bin');
  const wav = path.join(workDir, 'utterance.wav');
  return {
    hear: async (samples: Float32Array) => {
      writeFileSync(wav, wavOf(s16Of(samples)));
      const greedy = ['-nt', '-nf', '-bs', '1', '-bo', '1', '-l', 'en', '-t', String(threads)];
      const context = fitted ? ['-ac', String(fittedContext(samples.length))] : [];
      return run(['-m', model, '-f', wav, ...greedy, ...context]);
    },
  };
}

export const whisperCppFitted: Peer = {
  name: 'whisper.cpp q8_0, fitted',
  remark: 'audio context cut to the utterance (-ac)',
  prepare,
  open: (files) => open(files, true),
};

export const whisperCppDefault: Peer = {
  name: 'whisper.cpp q8_0, default',
  remark: 'audio context of 30 s, its default',
  prepare,
  open: (files) => open(files, false),
};
