import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Fault } from '../faults.ts';

export type FfmpegOptions = {
  readonly sampleRateHz: number;
  /** The command to run; looked up in the PATH of `environment`. */
  readonly command?: string;
  /** The child's environment; this process's own where it is left out. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
};

/** ffmpeg talks much; its last words say why it gave up. */
const keptStderrBytes = 4096;

/**
 * The sound of any container ffmpeg reads, mono float32 at `sampleRateHz`. `what` names the container in messages.
 * The child ends with the iterator. `-protocol_whitelist file` keeps a playlist from reaching the network.
 * @throws Fault AUDIO_UNSUPPORTED when ffmpeg is not installed, AUDIO_INVALID when it finds no sound.
 */
export async function* decodeWithFfmpeg(
  file: string,
  what: string,
  { sampleRateHz, command = 'ffmpeg', environment }: FfmpegOptions,
): AsyncGenerator<Float32Array> {
  const args = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'file'];
  // the protocol spelled out: a name with a colon, or one that begins with a dash, stays a file's name
  args.push('-i', `file:${path.resolve(file)}`, '-map', '0:a:0', '-ac', '1', '-ar', String(sampleRateHz));
  args.push('-f', 'f32le', '-c:a', 'pcm_f32le', 'pipe:1');
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(environment === undefined ? {} : { env: environment }),
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-keptStderrBytes);
  });
  let failure: NodeJS.ErrnoException | undefined;
  child.on('error', (error) => {
    failure = error;
  });
  const closed = once(child, 'close').catch(() => [undefined]);
  let samples = 0;
  try {
    let carried: Buffer = Buffer.alloc(0);
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      const bytes = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
      const whole = bytes.length - (bytes.length % 4);
      carried = bytes.subarray(whole);
      if (whole === 0) continue;
      // copied: a Float32Array must begin at a multiple of four bytes
      const sound = new Float32Array(new Uint8Array(bytes.subarray(0, whole)).buffer);
      samples += sound.length;
      yield sound;
    }
    const [exitCode] = await closed;
    if (failure !== undefined) throw startFault(file, what, command, failure);
    if (exitCode !== 0 || samples === 0) {
      const reason = stderr.trim().split('\n').at(-1) || `exit code ${exitCode}`;
      const message = `${file} (${what}) holds no sound that ffmpeg can read: ${reason}`;
      throw new Fault('AUDIO_INVALID', message, 'check that the file plays elsewhere');
    }
  } finally {
    child.kill('SIGKILL');
  }
}

function startFault(file: string, what: string, command: string, cause: NodeJS.ErrnoException): Fault {
  const reason = cause.code === 'ENOENT' ? 'is not installed' : `cannot be started (${cause.code})`;
  return new Fault(
    'AUDIO_UNSUPPORTED',
    `${file} is ${what}: WAV is read directly, all else through ${command}, which ${reason}`,
    'install it (sudo apt install ffmpeg), or convert the file to WAV elsewhere',
    { cause },
  );
}
