/**
 * The recorder node-record-lpcm16 loads by its path (`path.resolve(__dirname, name)` keeps an absolute one) and
 * calls with the options `record()` was given. CommonJS, because it is `require`d. Its own arecord recorder has no
 * way to say how long the buffer is, nor in which language arecord is to complain.
 */
type RecorderOptions = {
  readonly command: string;
  readonly device: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly audioType: string;
  readonly periodUs: number;
  readonly bufferUs: number;
  readonly environment: NodeJS.ProcessEnv;
};

module.exports = (options: RecorderOptions) => ({
  cmd: options.command,
  // not -q: it would hide the warning that the device runs at another rate than the one asked for
  args: [
    ...['-D', options.device],
    ...['-t', options.audioType],
    ...['-f', 'S16_LE'],
    ...['-r', String(options.sampleRate)],
    ...['-c', String(options.channels)],
    `--period-time=${options.periodUs}`,
    `--buffer-time=${options.bufferUs}`,
    '-',
  ],
  // C: stderr is read by a program. Detached: Ctrl-C in a terminal is for the daemon, which ends arecord itself;
  // without the daemon the pipe breaks, and arecord ends with it
  spawnOptions: {
    detached: true,
    env: { ...options.environment, LC_ALL: 'C', LANGUAGE: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  },
});
