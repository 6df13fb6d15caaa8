import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openWyomingServer, servedModel } from '../../../daemon/commands/wyoming-server.ts';
import { loadConfig } from '../../../daemon/config/config.ts';
import type { Recognition } from '../../../daemon/events.ts';
import type { LoadedModel } from '../../../daemon/recognizer/messages.ts';
import { type ModelCard, readCard } from '../../../models/manifest.ts';
import { packageDir } from '../../fixtures/daemon.ts';
import { demoDir } from '../../fixtures/demo.ts';
import { wyomingClient } from '../../fixtures/wyoming.ts';

const modelDir = path.join(packageDir, 'models/embedded');
const embedded = readCard(modelDir);

const loaded: LoadedModel = {
  name: 'nano',
  sha256: 'c21600f4dc689c1157dd440a7c4ffcc963ff22f8bf3bafc0916d55e1eb75fbb6',
  languages: ['en', 'de', 'fr'],
  tasks: ['transcribe'],
  provider: { requested: 'auto', active: 'cpu', reason: '' },
  loadMs: 1,
};

type Said = { readonly level: string; readonly message: string };

/** A server as the daemon opens it, with a recognizer that hears the language only. */
async function open(listen: string, models: () => LoadedModel = () => loaded) {
  const said: Said[] = [];
  const config = loadConfig({ environment: { HARKD_WYOMING_LISTEN: listen, HOME: '/nonexistent' } });
  const server = await openWyomingServer(() => config, {
    context: { version: '1.2.3', packageDir },
    card: () => embedded,
    recognizer: { loaded: Promise.resolve(loaded), model: models },
    recognize: async ({ language }) => ({ text: `in ${language}`, language }) as Recognition,
    log: (level, message) => void said.push({ level, message }),
  });
  return { server, said };
}

const test = suite('commands/wyoming-server');

test('tells the model in the words of the protocol, and who made it', () => {
  const all = { languages: [] };
  assert.equal(servedModel(loaded, embedded, all), {
    name: 'nano',
    description: embedded?.description,
    version: embedded?.version,
    attribution: { name: 'harkd', url: '' },
    languages: ['en', 'de', 'fr'],
  });
  const added = { at: '', from: 'https://hub.example', repository: 'someone/whisper', revision: 'main' };
  const fromHub = servedModel(loaded, { ...(embedded as ModelCard), added }, all);
  assert.equal(fromHub.attribution, { name: 'someone/whisper', url: 'https://hub.example/someone/whisper' });
  const fromFolder = { ...(embedded as ModelCard), added: { at: '', from: '/home/me/models' } };
  assert.equal(servedModel(loaded, fromFolder, all).attribution, { name: 'unknown', url: '' });
  const bare = servedModel(loaded, undefined, { languages: ['de'] });
  assert.equal(bare, {
    name: 'nano',
    description: 'nano',
    version: 'c21600f4dc68',
    attribution: { name: 'unknown', url: '' },
    languages: ['de'],
  });
});

test('is not there where it is off', async () => {
  const { server, said } = await open('off');
  assert.is(server, undefined);
  assert.equal(said, []);
});

test('serves whatever model is loaded now, and says little of who is sent away', async () => {
  let now = loaded;
  const { server, said } = await open('127.0.0.1:0', () => now);
  if (server === undefined) throw new Error('it is off');
  const client = await wyomingClient(server.port);
  const models = async () => {
    client.send('describe');
    const [program] = (await client.next('info')).data['asr'] as { models: { name: string }[] }[];
    return program?.models.map(({ name }) => name);
  };
  assert.equal(await models(), ['nano']);
  now = { ...loaded, name: 'tiny' };
  assert.equal(await models(), ['tiny']);
  const pcm = readFileSync(path.join(demoDir, 'lights.wav')).subarray(44);
  const { data } = await client.transcribe(pcm, { language: 'fr' });
  assert.equal(data, { text: 'in fr', language: 'fr' });
  for (let i = 0; i < 3; i++) {
    const stray = await wyomingClient(server.port);
    stray.socket.write('GET /\r\n');
    await stray.ended;
  }
  assert.equal(
    said.map(({ level }) => level),
    ['info', 'warn'],
  );
  assert.match(
    said[1]?.message ?? '',
    /^Wyoming client 127\.0\.0\.1 sent away: WYOMING_REQUEST_INVALID: the header/,
  );
  client.close();
  await server.close();
});

test.run();
