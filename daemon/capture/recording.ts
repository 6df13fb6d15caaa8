/**
 * One run of arecord behind node-record-lpcm16 1.0.1, from its start to its end. What that package leaves open is
 * closed here; the numbers in brackets below are its pitfalls:
 *   [1] a missing arecord is an 'error' of the child that nobody hears: the process would die
 *   [2] any exit but 0, also one asked for, is a *string* emitted as 'error' on the stream
 *   [3] 'end' comes before the exit is known: only the child's 'close' says how it went
 *   [4] it records WAV through sox unless told otherwise, and WAV ends after 2^31 bytes, 18.6 hours
 *   [5] the option is `device`; `deviceName` is ignored in silence
 *   [6] its own listener sets the stream flowing at once: listeners that come later miss sound
 *   [7] pause() stops the child, which overruns and cannot hear stop(): never used
 *   [8] stderr goes nowhere, in the operator's language
 *   [9] nobody notices when the sound stops without an end
 *  [10] an unknown recorder is thrown, not emitted
 */
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import recorder from 'node-record-lpcm16';
import { sampleRateHz } from '../events.ts';

export type RecordingOptions = {
  readonly device: string;
  /** The child's environment, but for its language. */
  readonly environment: NodeJS.ProcessEnv;
  readonly command?: string;
  /** Silence of the pipe after which a recording counts as stalled, once sound has flowed. */
  readonly stallMs?: number;
  /** The same before the first sound: a sound server may need two seconds to start. */
  readonly startMs?: number;
};

export type Recorded =
  /** Whole S16_LE samples, and the monotonic time at which the last of them had arrived. */
  | { readonly type: 'sound'; readonly bytes: Buffer; readonly arrivedAtMs: number }
  /** Sound that was spoken here is missing. */
  | { readonly type: 'lost'; readonly lostMs: number };

export type RecordingEnd = {
  readonly cause: 'stopped' | 'exited' | 'stalled' | 'not-started' | 'wrong-rate';
  /** Whether any sound came before the end. */
  readonly heard: boolean;
  readonly exitCode: number | undefined;
  /** The errno of a child that could not be started. */
  readonly errorCode: string | undefined;
  /** The rate the device really runs at, where that is the cause. */
  readonly actualRateHz: number | undefined;
  /** The last lines arecord had to say. */
  readonly stderr: string;
};

/** 32 ms: one frame a wake-up. */
const periodUs = 32_000;
/** What the kernel holds while arecord waits for the processor; the default of 0.5 s is short for a busy Pi. */
const bufferUs = 1_000_000;
/** Sound that waits for a listener; past this the oldest is given up and announced. 10 s are 320 kB. */
const mostWaitingMs = 10_000;
const bytesPerMs = (sampleRateHz * 2) / 1000;
const defaultStallMs = 2_000;
const defaultStartMs = 5_000;
/** From SIGTERM to SIGKILL, and from there until a child that hangs in its driver is left to the kernel. */
const graceMs = 500;
const keptStderrChars = 4_096;
const recorderPath = path.join(import.meta.dirname, 'recorder.cjs');

/**
 * Records until `signal` aborts or arecord ends, whatever the reason, and answers how it ended; never throws.
 * When the iterator is done, or returned from, no child is left.
 */
export async function* record(
  options: RecordingOptions,
  signal: AbortSignal,
): AsyncGenerator<Recorded, RecordingEnd> {
  const run = new ArecordRun(options);
  const stop = (): void => run.stop('stopped');
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    for (;;) {
      const recorded = run.take();
      if (recorded !== undefined) yield recorded;
      else if (run.ended !== undefined) return run.ended;
      else await run.change();
    }
  } finally {
    signal.removeEventListener('abort', stop);
    run.stop('stopped');
    while (run.ended === undefined) await run.change();
  }
}

class ArecordRun {
  readonly #child: ChildProcess | undefined;
  readonly #waiting: Recorded[] = [];
  #waitingBytes = 0;
  #droppedBytes = 0;
  #halfSample: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #heardAtMs: number | undefined;
  #stallTimer: NodeJS.Timeout | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #cause: RecordingEnd['cause'] | undefined;
  #errorCode: string | undefined;
  #actualRateHz: number | undefined;
  #stderr = '';
  #stderrLine = '';
  #ended: RecordingEnd | undefined;

  constructor({ device, environment, command = 'arecord', ...limits }: RecordingOptions) {
    const { stallMs = defaultStallMs, startMs = defaultStartMs } = limits;
    try {
      const run = recorder.record({
        recorder: recorderPath,
        audioType: 'raw', // [4]
        sampleRate: sampleRateHz,
        channels: 1,
        device, // [5]
        command,
        environment,
        periodUs,
        bufferUs,
      });
      // [6] every listener in the same turn as record()
      this.#child = run.process;
      run.process.on('error', (error: NodeJS.ErrnoException) => this.#failToStart(error)); // [1]
      run.process.on('close', (exitCode) => this.#close(exitCode)); // [3]
      run.stream().on('error', () => {}); // [2] the exit code says it better
      run.stream().on('data', (bytes: Buffer) => this.#hear(bytes, stallMs));
      run.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.#complain(text)); // [8]
    } catch (error) {
      this.#failToStart(error as NodeJS.ErrnoException); // [10]
      this.#close(null);
      return;
    }
    this.#watchStall(startMs); // [9]
  }

  get ended(): RecordingEnd | undefined {
    return this.#ended;
  }

  /** The next thing recorded, if there is one. After a stop there is none: who mutes wants no more. */
  take(): Recorded | undefined {
    if (this.#cause === 'stopped') return undefined;
    if (this.#droppedBytes > 0) {
      const lostMs = this.#droppedBytes / bytesPerMs;
      this.#droppedBytes = 0;
      return { type: 'lost', lostMs };
    }
    const recorded = this.#waiting.shift();
    if (recorded?.type === 'sound') this.#waitingBytes -= recorded.bytes.length;
    return recorded;
  }

  /** Resolves when there may be something to take, or the run has ended. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Ends the run for `cause`, unless it is ending already. */
  stop(cause: RecordingEnd['cause']): void {
    if (this.#cause === undefined) this.#cause = cause;
    else if (cause !== 'stopped' || this.#cause === 'stopped') return;
    else this.#cause = cause;
    clearTimeout(this.#stallTimer);
    this.#wake();
    const child = this.#child;
    if (this.#ended !== undefined || child === undefined || this.#killTimer !== undefined) return;
    // a stalled child may be stopped or hang in its driver: it would not hear SIGTERM
    child.kill(cause === 'stalled' ? 'SIGKILL' : 'SIGTERM');
    this.#killTimer = setTimeout(() => {
      child.kill('SIGKILL');
      this.#killTimer = setTimeout(() => this.#abandon(child), graceMs);
    }, graceMs);
  }

  #failToStart(error: NodeJS.ErrnoException): void {
    this.#cause ??= 'not-started';
    this.#errorCode = error.code ?? error.message;
  }

  #hear(bytes: Buffer, stallMs: number): void {
    const arrivedAtMs = performance.now();
    if (this.#heardAtMs === undefined) this.#watchStall(stallMs);
    else this.#stallTimer?.refresh();
    this.#heardAtMs = arrivedAtMs;
    const joined = this.#halfSample.length === 0 ? bytes : Buffer.concat([this.#halfSample, bytes]);
    const whole = joined.subarray(0, joined.length - (joined.length % 2));
    this.#halfSample = joined.subarray(whole.length);
    this.#waiting.push({ type: 'sound', bytes: whole, arrivedAtMs });
    this.#waitingBytes += whole.length;
    while (this.#waitingBytes > mostWaitingMs * bytesPerMs) {
      const oldest = this.#waiting.shift();
      const size = oldest?.type === 'sound' ? oldest.bytes.length : (oldest?.lostMs ?? 0) * bytesPerMs;
      this.#droppedBytes += size;
      if (oldest?.type === 'sound') this.#waitingBytes -= size;
    }
    this.#wake();
  }

  #complain(text: string): void {
    const lines = (this.#stderrLine + text).split('\n');
    this.#stderrLine = (lines.pop() ?? '').slice(-keptStderrChars);
    for (const line of lines) {
      const overrun = /overrun!!! \(at least ([\d.]+) ms long\)/.exec(line);
      const rate = /rate is not accurate \(requested = \d+Hz, got = (\d+)Hz\)/.exec(line);
      if (overrun !== null) {
        this.#waiting.push({ type: 'lost', lostMs: Number(overrun[1]) });
        this.#wake();
      } else if (rate !== null) {
        this.#actualRateHz = Number(rate[1]);
        this.stop('wrong-rate');
      } else if (!line.startsWith('Recording ')) {
        this.#stderr = `${this.#stderr}${line}\n`.slice(-keptStderrChars);
      }
    }
  }

  #watchStall(limitMs: number): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => {
      const heardBefore = this.#heardAtMs;
      // after a turn that took too long this timer runs before the sound that has arrived meanwhile is read
      setImmediate(() => {
        if (this.#heardAtMs === heardBefore && this.#ended === undefined) this.stop('stalled');
        else this.#stallTimer?.refresh();
      });
    }, limitMs);
  }

  #abandon(child: ChildProcess): void {
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.unref();
    this.#close(null);
  }

  #close(exitCode: number | null): void {
    if (this.#ended !== undefined) return;
    clearTimeout(this.#stallTimer);
    clearTimeout(this.#killTimer);
    this.#ended = {
      cause: this.#cause ?? 'exited',
      heard: this.#heardAtMs !== undefined,
      exitCode: exitCode ?? undefined,
      errorCode: this.#errorCode,
      actualRateHz: this.#actualRateHz,
      stderr: (this.#stderr + this.#stderrLine).trim(),
    };
    this.#wake();
  }
}
