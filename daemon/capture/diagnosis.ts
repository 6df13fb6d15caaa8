import { Fault } from '../faults.ts';
import { accessTo, captureDevices, devicesNamed, holderOf, type SoundPaths, soundPaths } from './cards.ts';
import type { RecordingEnd } from './recording.ts';

/**
 * Why a recording ended, as the operator can act on it. arecord says too little: a device without permission, one
 * that is unplugged and one that a container was not given all read `No such device`, so the kernel is asked too.
 */
export async function diagnose(
  device: string,
  end: RecordingEnd,
  {
    command = 'arecord',
    paths = soundPaths,
  }: { readonly command?: string; readonly paths?: SoundPaths } = {},
): Promise<Fault> {
  const { stderr } = end;
  switch (end.cause) {
    case 'not-started':
      return arecordFault(command, end.errorCode);
    case 'stalled':
      return new Fault(
        'MICROPHONE_STALLED',
        `${device} gave no sound although it is open`,
        'plug it in anew; a USB hub without enough power does this, and so does a sound server that hangs',
      );
    case 'wrong-rate':
      return new Fault(
        'AUDIO_UNSUPPORTED',
        `${device} runs at ${end.actualRateHz} Hz, 16000 Hz expected`,
        `name it as ${device.replace(/^hw:/, 'plughw:')}, with plughw: in front, which converts`,
      );
    case 'stopped':
    case 'exited':
      break;
  }
  const known = await captureDevices(paths);
  const meant = devicesNamed(device, known);
  if (/Device or resource busy/.test(stderr)) {
    const holder = await holderOf(meant, paths);
    const who = holder === undefined ? 'another process' : `${holder.command} (process ${holder.pid})`;
    return new Fault(
      'MICROPHONE_BUSY',
      `${device} is held by ${who}`,
      'end that process, or share the device through dsnoop or a sound server',
    );
  }
  if (/non available/.test(stderr)) {
    return new Fault(
      'AUDIO_UNSUPPORTED',
      `${device} cannot record S16_LE, 16000 Hz, mono: ${lastLine(stderr)}`,
      'name it with plughw: in front, which converts',
    );
  }
  const reached = meant.length === 0 ? 'allowed' : await accessTo(meant, paths);
  if (/Permission denied/.test(stderr) || reached !== 'allowed') {
    return reached === 'missing'
      ? new Fault(
          'MICROPHONE_DENIED',
          `${device} exists, but ${paths.dev} does not show it here`,
          'in a container, hand it in: docker run --device /dev/snd --group-add audio …',
        )
      : new Fault(
          'MICROPHONE_DENIED',
          `${device} may not be opened by this user`,
          'add the user to the group audio and start anew: sudo usermod -aG audio USER',
        );
  }
  if (/Connection refused/.test(stderr)) {
    return new Fault(
      'MICROPHONE_NOT_FOUND',
      `${device} leads to a sound server that does not answer`,
      `start PipeWire or PulseAudio for this user, or use the device itself: ${listed(known)}`,
    );
  }
  if (!end.heard && /No such (file|device)|Unknown PCM|Cannot get card/.test(stderr)) {
    return new Fault(
      'MICROPHONE_NOT_FOUND',
      `ALSA knows no capture device ${device}`,
      `known: ${listed(known)}`,
    );
  }
  const exit = end.exitCode === undefined ? 'was killed' : `ended with exit code ${end.exitCode}`;
  return new Fault(
    'MICROPHONE_LOST',
    `${device}: ${command} ${exit}${stderr === '' ? '' : `: ${lastLine(stderr)}`}`,
    'check the cable and the power of the microphone',
  );
}

/** A host without the recorder. */
export function arecordFault(command: string, errorCode: string | undefined): Fault {
  const reason = errorCode === 'ENOENT' ? 'is not installed' : `cannot be started (${errorCode})`;
  return new Fault('ARECORD_MISSING', `${command} ${reason}`, 'install it: sudo apt install alsa-utils');
}

function listed(devices: readonly { readonly name: string }[]): string {
  return devices.length === 0
    ? 'none, no capture card is plugged in'
    : devices.map(({ name }) => name).join(' ');
}

function lastLine(text: string): string {
  return text.split('\n').at(-1) ?? '';
}
