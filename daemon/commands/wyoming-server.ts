import type { ModelCard } from '../../models/manifest.ts';
import { parseListenAddress } from '../address.ts';
import type { Config } from '../config/config.ts';
import type { Fault } from '../faults.ts';
import { createSegmenterFor, openVad } from '../hearing.ts';
import type { Log } from '../log.ts';
import type { SupervisedRecognizer } from '../recognizer/client.ts';
import type { LoadedModel } from '../recognizer/messages.ts';
import type { SharedRecognizer } from '../recognizer/shared.ts';
import type { ServedModel } from '../wyoming/info.ts';
import type { WyomingServer } from '../wyoming.ts';
import type { CommandContext } from './context.ts';

export type WyomingServerOptions = {
  readonly context: Pick<CommandContext, 'version' | 'packageDir'>;
  /** Of the model in use. */
  readonly card: () => ModelCard | undefined;
  readonly recognizer: Pick<SupervisedRecognizer, 'loaded' | 'model'>;
  readonly recognize: SharedRecognizer['guest'];
  readonly log: Log;
};

/** Anybody on the network can cause trouble; who reads the log is told of it once in so long. */
const troubleEveryMs = 10_000;

/**
 * The Wyoming server of a running daemon, or undefined where `wyoming.listen` is off. `config` is asked for each sound,
 * since some of it may change while the daemon runs. Throws `Fault` as `wyomingServer` does. The code is loaded only
 * where it is wanted, and a detector, 1 MB, when the first sound comes.
 */
export async function openWyomingServer(
  config: () => Config,
  { context, card, recognizer, recognize, log }: WyomingServerOptions,
): Promise<WyomingServer | undefined> {
  const address = parseListenAddress(config().wyoming.listen);
  if (address === undefined) return undefined;
  const { wyomingServer } = await import('../wyoming.ts');
  let segments = 0;
  const server = await wyomingServer({
    ...address,
    harkdVersion: context.version,
    async model() {
      const first = await recognizer.loaded;
      return servedModel(recognizer.model() ?? first, card(), config());
    },
    recognize,
    openDetector: () => openVad(context.packageDir),
    createSegmenter: () => createSegmenterFor(config(), card(), () => `wyoming-${++segments}`)(),
    onTrouble: sparingly(log),
  });
  log('info', `Wyoming on ${server.url}`, { url: server.url });
  return server;
}

/** The model in the words of the protocol. Of a languages' allowlist nothing else is offered. */
export function servedModel(
  { name, sha256, languages }: LoadedModel,
  card: ModelCard | undefined,
  config: Pick<Config, 'languages'>,
): ServedModel {
  return {
    name,
    description: card?.description ?? name,
    version: card?.version ?? sha256.slice(0, 12),
    attribution: attributionOf(card),
    languages: config.languages.length === 0 ? languages : config.languages,
  };
}

function attributionOf(card: ModelCard | undefined): ServedModel['attribution'] {
  if (card === undefined) return { name: 'unknown', url: '' };
  if (card.added === undefined) return { name: 'harkd', url: '' };
  const { repository, from } = card.added;
  // a folder on this machine is nobody's business
  return repository === undefined
    ? { name: 'unknown', url: '' }
    : { name: repository, url: `${from}/${repository}` };
}

function sparingly(log: Log): (fault: Fault, address: string) => void {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return ({ code, message, hint, cause }, address) => {
    const nowMs = performance.now();
    if (nowMs - saidAtMs < troubleEveryMs) {
      unsaid++;
      return;
    }
    saidAtMs = nowMs;
    const more = unsaid === 0 ? '' : ` (and ${unsaid} others since the last one told)`;
    const stack = code === 'INTERNAL' && cause instanceof Error ? `\n${cause.stack}` : '';
    log(
      code === 'INTERNAL' ? 'error' : 'warn',
      `Wyoming client ${address} sent away: ${code}: ${message}${more}${stack}`,
      {
        hint,
      },
    );
    unsaid = 0;
  };
}
