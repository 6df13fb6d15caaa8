/** What `harkd run` is put together from, each as the configuration says. */
import path from 'node:path';
import { type ModelCard, readCard } from '../../models/manifest.ts';
import type { AheadOptions } from '../ahead.ts';
import type { EmbeddedBroker } from '../broker.ts';
import { alsaSource } from '../capture/alsa.ts';
import { fileSource } from '../capture/file.ts';
import { stdinSource } from '../capture/stdin.ts';
import type { Config } from '../config/config.ts';
import { microphoneOf } from '../controls.ts';
import type { AudioSource, Emit, Sink } from '../events.ts';
import type { Log } from '../log.ts';
import type { CommandContext } from './context.ts';

/** As `config` says whenever it is asked. */
export function aheadBy(config: () => Config): AheadOptions {
  return {
    get eager() {
      return config().recognizer.eager;
    },
    get partialEveryMs() {
      const { enabled, intervalMs } = config().partials;
      return enabled ? intervalMs : undefined;
    },
  };
}

/** The card of the model in use. Read when another model is taken: later on its folder may be gone. */
export function cardInUse(config: () => Config, modelDirOf: (config: Config) => string) {
  let read: { readonly model: string; readonly card: ModelCard | undefined } | undefined;
  return (): ModelCard | undefined => {
    const { model } = config();
    if (read?.model !== model) read = { model, card: readCard(modelDirOf(config())) };
    return read.card;
  };
}

/** Acts on what happens, and has nothing to deliver. */
function hearsOnly(name: string, publish: Sink['publish']): Sink {
  return { name, publish, close: async () => ({ undelivered: 0 }) };
}

/** Where a microphone has come or gone, others may have, too. */
export function lookAroundWith(lookAround: () => Promise<void>): Sink {
  return hearsOnly('look around', (event) => {
    if (event.type === 'microphone' && ['listening', 'lost'].includes(event.state)) void lookAround();
  });
}

/** By the time they have said it, the model is loaded. */
export function wakenBySpeech(wake: () => void): Sink {
  return hearsOnly('waken', (event) => {
    if (event.type === 'speech-started') wake();
  });
}

/** What a self-test recognises, and what it should come to. */
export function shippedRecording(packageDir: string) {
  return {
    file: path.join(packageDir, 'models/embedded/demo/lights.wav'),
    text: 'dim the bedroom lights',
  };
}

/** The broker of this process, where the configuration asks for it; says where it is. */
export async function brokerFor({ mqtt }: Config, log: Log): Promise<EmbeddedBroker | undefined> {
  if (mqtt.url !== 'embedded') return undefined;
  const { startEmbeddedBroker } = await import('../broker.ts');
  const broker = await startEmbeddedBroker({ port: mqtt.embeddedPort });
  if (broker.requestedPortTaken) {
    log('warn', `port ${mqtt.embeddedPort} is taken by another program`, {
      hint: `if that is your broker, use it: --broker mqtt://127.0.0.1:${mqtt.embeddedPort}`,
    });
  }
  log('info', `embedded broker on ${broker.url}`, { url: broker.url });
  return broker;
}

/** The source of sound that is configured. */
export function sourceFor(
  config: () => Config,
  pace: 'realtime' | 'fast',
  { environment, stdin }: CommandContext,
  emit: Emit,
  log: Log,
): AudioSource {
  const warn = (message: string): void => log('warn', message);
  const { source, capture } = config();
  if (source === 'stdin') return stdinSource(stdin as AsyncIterable<Uint8Array>, { emit, warn });
  if (source.startsWith('file:')) {
    return fileSource(source.slice('file:'.length), { pace, emit, warn, environment });
  }
  return alsaSource({
    ...capture,
    // another one may be chosen from one stretch of listening to the next
    get device() {
      return microphoneOf(config());
    },
    emit,
    environment,
  });
}
