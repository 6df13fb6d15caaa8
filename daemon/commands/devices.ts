import {
  accessTo,
  type CaptureDevice,
  captureDevices,
  holderOf,
  type SoundPaths,
  soundPaths,
} from '../capture/cards.ts';
import { arecordFault, diagnose } from '../capture/diagnosis.ts';
import { levelDbfs, peakOf, silenceDbfs, sumOfSquares } from '../capture/level.ts';
import { samplesOfS16 } from '../capture/pcm.ts';
import { type RecordingEnd, record } from '../capture/recording.ts';
import { softwarePcms } from '../capture/software-pcms.ts';
import { sampleRateHz } from '../events.ts';

export type DevicesOptions = {
  readonly json: boolean;
  readonly meter: boolean;
  /** The device to measure; the first that is free where it is left out. */
  readonly device?: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  /** Whether what is written can be written over. */
  readonly isTerminal?: boolean;
  readonly command?: string;
  readonly paths?: SoundPaths;
};

/** What `harkd devices --json` says of one device. */
export type ListedDevice = {
  readonly name: string;
  readonly description: string;
  readonly kind: 'hardware' | 'software';
  /** `unknown` for software: only opening it would tell. */
  readonly state: 'free' | 'busy' | 'denied' | 'unknown';
  readonly heldBy: { readonly pid: number; readonly command: string } | null;
};

/**
 * `harkd devices`: lists what can be recorded from, or with `meter` shows how loud one device is until `signal`
 * aborts. @throws Fault ARECORD_MISSING where neither kernel nor arecord can be asked; of the microphone for a meter.
 */
export async function devices(options: DevicesOptions): Promise<void> {
  const { json, meter, write, environment, command = 'arecord', paths = soundPaths } = options;
  const hardware = await Promise.all((await captureDevices(paths)).map((device) => describe(device, paths)));
  const software = await softwarePcms(environment, command);
  if (hardware.length === 0 && software === undefined) throw arecordFault(command, 'ENOENT');
  const listed = [...hardware, ...(software ?? []).map(ofSoftware)];
  if (meter) {
    const device = options.device ?? listed.find(({ state }) => state === 'free')?.name ?? 'default';
    return measure(device, options);
  }
  if (json) write(`${JSON.stringify({ arecord: software !== undefined, devices: listed })}\n`);
  else write(listing(listed, software !== undefined));
}

async function describe(device: CaptureDevice, paths: SoundPaths): Promise<ListedDevice> {
  const holder = await holderOf([device], paths);
  const access = await accessTo([device], paths);
  const state = access !== 'allowed' ? 'denied' : holder === undefined ? 'free' : 'busy';
  const { name, description } = device;
  return { name, description, kind: 'hardware', state, heldBy: holder ?? null };
}

function ofSoftware(pcm: { readonly name: string; readonly description: string }): ListedDevice {
  return { ...pcm, kind: 'software', state: 'unknown', heldBy: null };
}

function listing(listed: readonly ListedDevice[], hasArecord: boolean): string {
  const width = Math.max(0, ...listed.map(({ name }) => name.length));
  const lines = listed.map(({ name, description, state, heldBy }) => {
    const note =
      state === 'denied'
        ? ' (this user may not open it: sudo usermod -aG audio USER)'
        : state === 'busy'
          ? ` (held by ${heldBy?.command}, process ${heldBy?.pid})`
          : '';
    return `${name.padEnd(width)}  ${description}${note}`.trimEnd();
  });
  if (!listed.some(({ kind }) => kind === 'hardware')) {
    lines.push(
      'no capture card found: plug in a USB microphone, or load the driver of the sound board;',
      'in a container, hand the cards in: docker run --device /dev/snd --group-add audio …',
    );
  }
  if (!hasArecord)
    lines.push('arecord is not installed, and nothing records without it: sudo apt install alsa-utils');
  return `${lines.join('\n')}\n`;
}

/** A tenth of a second in a terminal, where it moves; a second where lines add up. */
const liveSamples = sampleRateHz / 10;
const lineSamples = sampleRateHz;
/** The bar begins here: the noise of a quiet room through a cheap microphone. */
const barFromDbfs = -60;
const barWidth = 40;

async function measure(device: string, options: DevicesOptions): Promise<void> {
  const { json, write, signal, environment, command = 'arecord', paths = soundPaths } = options;
  const isLive = !json && (options.isTerminal ?? process.stdout.isTTY === true);
  const blockSamples = isLive ? liveSamples : lineSamples;
  let squareSum = 0;
  let peak = 0;
  let count = 0;
  const tell = (): void => {
    const level = { levelDbfs: levelDbfs(squareSum, count), peakDbfs: levelDbfs(peak * peak, 1) };
    if (json) write(`${JSON.stringify({ device, at: new Date().toISOString(), ...level })}\n`);
    else write(isLive ? `\r${bar(level.levelDbfs, level.peakDbfs)}\x1b[K` : `${words(level)}\n`);
    squareSum = 0;
    peak = 0;
    count = 0;
  };
  if (!json) write(`${device}: end with Ctrl-C\n`);
  const recording = record({ device, environment, command }, signal);
  let end: RecordingEnd | undefined;
  try {
    while (end === undefined) {
      const step = await recording.next();
      if (step.done === true) end = step.value;
      else if (step.value.type === 'sound') {
        const samples = samplesOfS16(step.value.bytes);
        squareSum += sumOfSquares(samples);
        peak = Math.max(peak, peakOf(samples));
        count += samples.length;
        if (count >= blockSamples) tell();
      }
    }
  } finally {
    await recording.return(undefined as never);
    if (isLive) write('\n');
  }
  if (end.cause !== 'stopped') throw await diagnose(device, end, { command, paths });
}

function bar(level: number, peak: number): string {
  const at = (dbfs: number): number =>
    Math.round(Math.max(0, Math.min(1, (dbfs - barFromDbfs) / -barFromDbfs)) * barWidth);
  const cells = '#'.repeat(at(level)).padEnd(barWidth, '.').split('');
  const peakAt = at(peak) - 1;
  if (peakAt >= 0) cells[peakAt] = '|';
  return `[${cells.join('')}] ${words({ levelDbfs: level, peakDbfs: peak })}`;
}

function words({ levelDbfs, peakDbfs }: { readonly levelDbfs: number; readonly peakDbfs: number }): string {
  if (levelDbfs <= silenceDbfs) return 'digital silence: is the microphone muted?';
  const clips = peakDbfs > -0.1 ? ', too loud: it clips' : '';
  return `${levelDbfs.toFixed(1).padStart(6)} dBFS, peak ${peakDbfs.toFixed(1).padStart(5)}${clips}`;
}
