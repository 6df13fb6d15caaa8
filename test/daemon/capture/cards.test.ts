import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { accessTo, captureDevices, devicesNamed, holderOf } from '../../../daemon/capture/cards.ts';
import { diagnose } from '../../../daemon/capture/diagnosis.ts';
import type { RecordingEnd } from '../../../daemon/capture/recording.ts';
import { announceSkip } from '../../skip.ts';

const cards = suite('cards');
const folder = mkdtempSync(path.join(tmpdir(), 'harkd-cards-'));
const paths = { proc: path.join(folder, 'proc'), dev: path.join(folder, 'dev/snd') };
cards.after(() => rmSync(folder, { recursive: true }));

function write(file: string, content: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}

// as a Raspberry Pi with a USB microphone and a ReSpeaker shows them
write(
  path.join(paths.proc, 'asound/cards'),
  ` 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media Electronics Inc. USB PnP Sound Device at usb-0000:01:00.0-1.3, full spe
 2 [Array          ]: USB-Audio - reSpeaker XVF3800 4-Mic Array
                      Seeed Studio reSpeaker XVF3800 4-Mic Array at usb-0000:01:00.0-1.4, high speed
`,
);
write(
  path.join(paths.proc, 'asound/pcm'),
  `00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8
01-00: USB Audio : USB Audio : playback 1 : capture 1
02-00: USB Audio : USB Audio : playback 1 : capture 1
`,
);
write(path.join(paths.proc, 'asound/card1/pcm0c/sub0/status'), 'closed\n');
write(path.join(paths.proc, 'asound/card2/pcm0c/sub0/status'), 'state: RUNNING\nowner_pid   : 4242\n');
write(path.join(paths.proc, '4242/comm'), 'pipewire\n');
write(path.join(paths.dev, 'pcmC1D0c'), '');

const ended = (stderr: string): RecordingEnd => ({
  cause: 'exited',
  heard: false,
  exitCode: 1,
  errorCode: undefined,
  actualRateHz: undefined,
  stderr,
});
const noDevice = 'arecord: main:831: audio open error: No such device';

cards('capture devices go by names that outlast a reboot', async () => {
  const devices = await captureDevices(paths);
  assert.equal(
    devices.map(({ name, description }) => [name, description]),
    [
      ['plughw:CARD=Device,DEV=0', 'USB PnP Sound Device, USB Audio'],
      ['plughw:CARD=Array,DEV=0', 'reSpeaker XVF3800 4-Mic Array, USB Audio'],
    ],
  );
  assert.equal(await captureDevices({ proc: '/nonexistent', dev: '/nonexistent' }), []);
});

cards('an ALSA name leads to the devices it may open', async () => {
  const devices = await captureDevices(paths);
  const cardsOf = (name: string): string[] => devicesNamed(name, devices).map(({ card }) => card);
  for (const name of ['plughw:CARD=Array,DEV=0', 'hw:2,0', 'plughw:2', 'hw:Array', 'sysdefault:CARD=Array']) {
    assert.equal(cardsOf(name), ['Array'], name);
  }
  assert.equal(cardsOf('default'), ['Device', 'Array']);
  assert.equal(cardsOf('plughw:CARD=Array,DEV=1'), []);
  assert.equal(cardsOf('hw:7'), []);
});

cards('a busy device names who holds it', async () => {
  const devices = await captureDevices(paths);
  assert.equal(await holderOf(devicesNamed('hw:2', devices), paths), { pid: 4242, command: 'pipewire' });
  assert.is(await holderOf(devicesNamed('hw:1', devices), paths), undefined);
  const fault = await diagnose(
    'hw:2',
    ended('arecord: main:831: audio open error: Device or resource busy'),
    {
      paths,
    },
  );
  assert.is(fault.code, 'MICROPHONE_BUSY');
  assert.is(fault.message, 'hw:2 is held by pipewire (process 4242)');
});

cards('no device, no permission and no hand-in to a container are told apart', async () => {
  assert.is((await diagnose('plughw:CARD=Gone', ended(noDevice), { paths })).code, 'MICROPHONE_NOT_FOUND');
  const gone = await diagnose('plughw:CARD=Gone', ended(noDevice), { paths });
  assert.is(gone.hint, 'known: plughw:CARD=Device,DEV=0 plughw:CARD=Array,DEV=0');
  const hidden = await diagnose('hw:2', ended(noDevice), { paths });
  assert.is(hidden.code, 'MICROPHONE_DENIED');
  assert.match(hidden.hint, '--device /dev/snd');
});

if (process.getuid?.() === 0) {
  announceSkip('a device without permission', 'root may open everything; run the tests as a user');
} else {
  cards('a device without permission points to the group', async () => {
    const node = path.join(paths.dev, 'pcmC2D0c');
    writeFileSync(node, '', { mode: 0o000 });
    assert.is(await accessTo(devicesNamed('hw:2', await captureDevices(paths)), paths), 'denied');
    const fault = await diagnose('hw:2', ended(noDevice), { paths });
    assert.is(fault.code, 'MICROPHONE_DENIED');
    assert.match(fault.hint, 'group audio');
    rmSync(node);
  });
}

cards.run();
