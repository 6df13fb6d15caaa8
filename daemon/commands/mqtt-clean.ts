/** `harkd mqtt clean`: takes what a daemon that is gone has left retained on the broker, and out of other houses. */
import { randomUUID } from 'node:crypto';
import { accessOf, type BrokerAccess } from '../broker-access.ts';
import {
  type BrokerConnection,
  type BrokerLink,
  connectBroker,
  type Protocol,
} from '../broker-connection.ts';
import { loadConfig } from '../config/config.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { Fault } from '../faults.ts';
import { discoveryTopicOf, homieIdOf, topicsOf } from '../mqtt-contract.ts';
import { sleep } from '../waiting.ts';
import { confirmed } from './confirmed.ts';
import type { CommandContext } from './context.ts';

export type MqttArguments = {
  readonly action: 'clean';
  readonly config?: string | undefined;
  readonly broker?: string | undefined;
  readonly username?: string | undefined;
  /** The site to clean up after, if not that of the configuration. */
  readonly site?: string | undefined;
  readonly dryRun: boolean;
  readonly yes: boolean;
};

export type CleanOptions = BrokerAccess & {
  readonly url: string;
  /** `harkd/<site>`, one daemon. */
  readonly base: string;
  /** Home Assistant's discovery prefix. */
  readonly prefix: string;
  /** `homie/5/<id>`, the Homie device of that daemon. */
  readonly homie: string;
  readonly dryRun: boolean;
  /** Asked with the topics before anything is removed. */
  readonly confirm: (topics: readonly string[]) => Promise<boolean>;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  readonly protocol?: Protocol | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** Retained messages come right after a subscription; when none has come for so long, that was all. */
  readonly quietMs?: number | undefined;
};

/** The command: broker, credentials and prefix are those of the configuration unless asked for. */
export async function mqttClean(argv: MqttArguments, context: CommandContext): Promise<void> {
  const { environment, signal, write } = context;
  const { mqtt, homeAssistant, homie } = loadConfig({
    path: argv.config,
    environment,
    overrides: { site: argv.site, mqtt: { url: argv.broker, username: argv.username } },
  });
  const base = argv.site === undefined ? mqtt.baseTopic : `harkd/${argv.site}`;
  await clean({
    ...accessOf(mqtt),
    url: mqtt.url === 'embedded' ? `mqtt://127.0.0.1:${mqtt.embeddedPort}` : mqtt.url,
    base,
    prefix: homeAssistant.prefix,
    homie: `${homie.prefix}/5/${argv.site === undefined ? homie.id : homieIdOf(base)}`,
    dryRun: argv.dryRun,
    signal,
    write,
    confirm: () => confirmed('remove them?', argv.yes, '--dry-run to look only', context),
  });
}

/**
 * Lists what is retained under `base`, of its announcement to Home Assistant and of its Homie device, and after `confirm` removes it.
 * Throws `Fault` if the broker cannot be reached or refuses, and if the daemon is running: it would only say it
 * all again.
 */
export async function clean(options: CleanOptions): Promise<void> {
  const { base, prefix, homie, dryRun, confirm, signal, write } = options;
  const topics = topicsOf(base);
  const retained = new Map<string, string>();
  let lastHeardAtMs = performance.now();
  const online: Deferred<BrokerLink> = deferred();
  const connection: BrokerConnection = connectBroker({
    ...accessOf(options),
    url: options.url,
    clientId: `harkd-clean-${randomUUID().slice(0, 8)}`,
    protocol: options.protocol,
    connectTimeoutMs: options.connectTimeoutMs,
    onOnline: (link) => online.resolve(link),
    onOffline: () => undefined,
    onMessage({ topic, payload, retained: isRetained }) {
      // what is removed is told to subscribers, as an empty message
      if (payload.length === 0) retained.delete(topic);
      else if (isRetained) retained.set(topic, payload.toString('utf8'));
      lastHeardAtMs = performance.now();
    },
    onTrouble: (fault) => online.reject(fault),
    onWell: () => undefined,
  });
  const onAbort = () => online.reject(new Fault('INTERRUPTED', 'stopped before anything was removed', ''));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const link = await online.promise;
    await link
      .subscribe([`${base}/#`, discoveryTopicOf(prefix, base)], 'with-retained')
      .catch((error) => notAllowed(`${base}/#`, error));
    // where this user may not look, the daemon has had no Homie device
    await link.subscribe([`${homie}/#`], 'with-retained').catch(() => undefined);
    const quietMs = options.quietMs ?? 500;
    const untilQuiet = async (): Promise<void> => {
      lastHeardAtMs = performance.now();
      while (!signal.aborted && performance.now() - lastHeardAtMs < quietMs) await sleep(quietMs / 5, signal);
      if (connection.link() !== link) {
        throw new Fault('BROKER_UNREACHABLE', `the connection to ${connection.url} broke`, 'run it again');
      }
    };
    await untilQuiet();

    // without its state a Homie device is gone, whatever else is still there: so that goes first
    const rank = (topic: string) => (topic === `${homie}/$state` ? 0 : 1);
    const found = [...retained.keys()].sort().toSorted((a, b) => rank(a) - rank(b));
    if (found.length === 0) {
      write(`nothing is retained under ${base}\n`);
      return;
    }
    for (const topic of found) write(`${topic}\n`);
    if (dryRun) return;
    if (retained.get(topics.status) === 'online') {
      throw new Fault(
        'USAGE_INVALID',
        `${base} is online: a running daemon has it all retained`,
        'stop that harkd first; if it is gone, the broker notices within a minute',
      );
    }
    if (signal.aborted || !(await confirm(found))) {
      write('nothing removed\n');
      return;
    }
    for (const topic of found) {
      await link
        .publish({ topic, payload: '', qos: 1, retain: true })
        .catch((error) => notAllowed(topic, error));
    }
    await untilQuiet();
    // a broker that speaks 3.1.1 says thank you and throws away what is not allowed
    const [left] = found.filter((topic) => retained.has(topic));
    if (left !== undefined) notAllowed(left, new Error(`the broker still has ${left}`));
    write(`removed ${found.length}\n`);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await connection.close(1000);
  }
}

function notAllowed(topic: string, cause: Error): never {
  const hint = `let this user read and write ${topic} in the access list of the broker`;
  throw new Fault('BROKER_REFUSED', cause.message, hint, { cause });
}
