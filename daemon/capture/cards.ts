/**
 * The capture devices the kernel knows, read from /proc/asound: it needs neither arecord nor any permission.
 * Card numbers change with the order of plugging in; the names here hold.
 */
import { access, constants, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export type CaptureDevice = {
  /** For `--source alsa:NAME`; `plughw` converts whatever the device offers to 16 kHz mono. */
  readonly name: string;
  readonly description: string;
  readonly card: string;
  readonly cardIndex: number;
  readonly deviceIndex: number;
};

/** Where the kernel shows its sound cards. */
export type SoundPaths = { readonly proc: string; readonly dev: string };
export const soundPaths: SoundPaths = { proc: '/proc', dev: '/dev/snd' };

/** Every device that can capture; none if there is no card, or no sound in this kernel. */
export async function captureDevices({ proc }: SoundPaths = soundPaths): Promise<CaptureDevice[]> {
  const cards = new Map<number, { readonly id: string; readonly longName: string }>();
  for (const line of await linesOf(path.join(proc, 'asound/cards'))) {
    // ` 1 [Device         ]: USB-Audio - USB Audio Device`
    const [, index, id, longName] = /^\s*(\d+) \[(\S+)\s*\]: (.*)$/.exec(line) ?? [];
    if (index !== undefined && id !== undefined && longName !== undefined) {
      cards.set(Number(index), { id, longName: longName.replace(/^.* - /, '') });
    }
  }
  const devices: CaptureDevice[] = [];
  for (const line of await linesOf(path.join(proc, 'asound/pcm'))) {
    // `01-00: USB Audio : USB Audio : capture 1`
    const [, cardIndex, deviceIndex, what] = /^(\d+)-(\d+): (.*)$/.exec(line) ?? [];
    const card = cards.get(Number(cardIndex));
    if (card === undefined || what === undefined || !/: capture \d+/.test(what)) continue;
    devices.push({
      name: `plughw:CARD=${card.id},DEV=${Number(deviceIndex)}`,
      description: `${card.longName}, ${what.split(' : ')[1]?.trim() ?? ''}`,
      card: card.id,
      cardIndex: Number(cardIndex),
      deviceIndex: Number(deviceIndex),
    });
  }
  return devices;
}

/** The devices an ALSA name may open: `plughw:CARD=Mic,DEV=0`, `hw:1,0`, `hw:Mic`; all for a name that names no card. */
export function devicesNamed(name: string, devices: readonly CaptureDevice[]): readonly CaptureDevice[] {
  const card = /CARD=([^,]+)/.exec(name)?.[1] ?? /:([^,=]+)(?:,|$)/.exec(name)?.[1];
  if (card === undefined) return devices;
  const device = /DEV=(\d+)/.exec(name)?.[1] ?? /:[^,=]+,(\d+)/.exec(name)?.[1];
  return devices.filter(
    (candidate) =>
      (candidate.card === card || String(candidate.cardIndex) === card) &&
      (device === undefined || candidate.deviceIndex === Number(device)),
  );
}

/** Who has one of `devices` open for capture, as far as /proc says. */
export async function holderOf(
  devices: readonly CaptureDevice[],
  { proc }: SoundPaths = soundPaths,
): Promise<{ readonly pid: number; readonly command: string } | undefined> {
  for (const { cardIndex, deviceIndex } of devices) {
    const folder = path.join(proc, `asound/card${cardIndex}/pcm${deviceIndex}c`);
    for (const sub of await readdir(folder).catch(() => [])) {
      const status = (await linesOf(path.join(folder, sub, 'status'))).join('\n');
      const pid = /^owner_pid\s*: (\d+)/m.exec(status)?.[1];
      if (pid === undefined) continue;
      const [command = 'a process of another user'] = await linesOf(path.join(proc, pid, 'comm'));
      return { pid: Number(pid), command };
    }
  }
  return undefined;
}

/**
 * Whether this process may open one of `devices`: `missing` when the kernel has the device but /dev/snd does not,
 * as in a container that was not given it. arecord reports both as if the card were unplugged.
 */
export async function accessTo(
  devices: readonly CaptureDevice[],
  { dev }: SoundPaths = soundPaths,
): Promise<'allowed' | 'denied' | 'missing'> {
  let answer: 'denied' | 'missing' = 'missing';
  for (const { cardIndex, deviceIndex } of devices) {
    const node = path.join(dev, `pcmC${cardIndex}D${deviceIndex}c`);
    try {
      await access(node, constants.R_OK | constants.W_OK);
      return 'allowed';
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') answer = 'denied';
    }
  }
  return answer;
}

async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.length > 0);
}
