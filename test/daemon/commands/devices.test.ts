import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DevicesOptions, devices } from '../../../daemon/commands/devices.ts';
import { Fault } from '../../../daemon/faults.ts';
import { alsaMissing, createAlsa } from '../../fixtures/alsa.ts';
import { s16Of, sineOf } from '../../fixtures/wav.ts';
import { announceSkip } from '../../skip.ts';

const command = suite('devices');
const fixture = createAlsa();
command.after(() => fixture.close());
const proc = path.join(fixture.folder, 'proc');
const withCard = { proc, dev: path.join(fixture.folder, 'dev') };
const withoutCard = { proc: '/nonexistent', dev: '/nonexistent' };
mkdirSync(path.join(proc, 'asound/card1/pcm0c/sub0'), { recursive: true });
mkdirSync(withCard.dev);
writeFileSync(path.join(proc, 'asound/cards'), ' 1 [Mic            ]: USB-Audio - A Microphone\n');
writeFileSync(path.join(proc, 'asound/pcm'), '01-00: USB Audio : USB Audio : capture 1\n');
writeFileSync(path.join(withCard.dev, 'pcmC1D0c'), '');

async function run(options: Partial<DevicesOptions>): Promise<string> {
  let text = '';
  await devices({
    json: false,
    meter: false,
    environment: fixture.environment,
    signal: new AbortController().signal,
    isTerminal: false,
    ...options,
    write: (more) => {
      text += more;
    },
  });
  return text;
}

async function faultOf(options: Partial<DevicesOptions>): Promise<Fault> {
  try {
    await run(options);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('expected a fault');
}

command('without arecord the cards are still listed, and what is missing is said', async () => {
  const text = await run({ environment: { PATH: '/nonexistent' }, paths: withCard });
  assert.match(text, /^plughw:CARD=Mic,DEV=0 {2}A Microphone, USB Audio\n/);
  assert.match(text, 'apt install alsa-utils');
});

command('where nothing can be listed, that is a fault', async () => {
  const fault = await faultOf({ environment: { PATH: '/nonexistent' }, paths: withoutCard });
  assert.is(fault.code, 'ARECORD_MISSING');
  assert.is(fault.exitCode, 69);
});

const missing = alsaMissing();
if (missing !== undefined) announceSkip('devices through the real arecord', missing);
else {
  command('cards and software devices are listed, and who holds a card', async () => {
    fixture.addFile('house', '/dev/zero');
    assert.is(await run({ paths: withCard }), 'plughw:CARD=Mic,DEV=0  A Microphone, USB Audio\nhouse\n');
    const status = path.join(proc, 'asound/card1/pcm0c/sub0/status');
    writeFileSync(status, `state: RUNNING\nowner_pid   : 77\n`);
    mkdirSync(path.join(proc, '77'));
    writeFileSync(path.join(proc, '77/comm'), 'pipewire\n');
    assert.match(await run({ paths: withCard }), '(held by pipewire, process 77)');
    assert.equal(JSON.parse(await run({ paths: withCard, json: true })), {
      arecord: true,
      devices: [
        {
          name: 'plughw:CARD=Mic,DEV=0',
          description: 'A Microphone, USB Audio',
          kind: 'hardware',
          state: 'busy',
          heldBy: { pid: 77, command: 'pipewire' },
        },
        { name: 'house', description: '', kind: 'software', state: 'unknown', heldBy: null },
      ],
    });
    writeFileSync(status, 'closed\n');
  });

  command('no card is no error, and says what to do', async () => {
    const text = await run({ paths: withoutCard });
    assert.match(text, 'no capture card found: plug in a USB microphone');
    assert.match(text, 'docker run --device /dev/snd');
  });

  command('the meter shows how loud it is until it is ended', async () => {
    fixture.addMicrophone('sine', s16Of(sineOf(1000, 16_000, 64_000, 0.5)));
    const stop = new AbortController();
    let text = '';
    await devices({
      json: false,
      meter: true,
      device: 'sine',
      environment: fixture.environment,
      signal: stop.signal,
      isTerminal: true,
      paths: withCard,
      write: (more) => {
        text += more;
        if (text.split('\r').length > 3) stop.abort();
      },
    });
    assert.match(text, /^sine: end with Ctrl-C\n\r\[#{30,36}\.*\|\.*\] {3}-9\.0 dBFS, peak {2}-6\.0/);
    assert.ok(text.endsWith('\n'));
  });

  command('the meter writes a line of JSON a second where a machine reads', async () => {
    fixture.addMicrophone('square', s16Of(new Float32Array(32_000).fill(-1)));
    const stop = new AbortController();
    let text = '';
    await devices({
      json: true,
      meter: true,
      device: 'square',
      environment: fixture.environment,
      signal: stop.signal,
      paths: withCard,
      write: (more) => {
        text += more;
        stop.abort();
      },
    });
    const { device, levelDbfs, peakDbfs } = JSON.parse(text);
    assert.equal({ device, levelDbfs, peakDbfs }, { device: 'square', levelDbfs: 0, peakDbfs: 0 });
  });

  command('a meter without a device that opens is a fault', async () => {
    const fault = await faultOf({ meter: true, device: 'nobody', paths: withCard });
    assert.is(fault.code, 'MICROPHONE_NOT_FOUND');
    assert.is(fault.hint, 'known: plughw:CARD=Mic,DEV=0');
  });
}

command.run();
