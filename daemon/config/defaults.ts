/** Defaults that depend on the machine, the environment or another key. */
import { homedir } from 'node:os';
import path from 'node:path';
import { homieIdOf } from '../mqtt-contract.ts';
import type { Config, Environment } from './config.ts';
import { leaves } from './schema.ts';
import { type ConfigTree, pick, put } from './tree.ts';

export type Machine = { readonly hostname: string; readonly cores: number };

function siteFor(hostname: string): string {
  const name =
    hostname
      .split('.')[0]
      ?.toLowerCase()
      .replaceAll(/[^a-z0-9_-]+/g, '-') ?? '';
  const site = name.replace(/^[-_]+/, '').slice(0, 63);
  return site === '' || site === 'localhost' ? 'home' : site;
}

/** systemd names the folder of the unit; without it, the one the XDG base directory specification has for state. */
function stateDirFor(environment: Environment): string {
  const { STATE_DIRECTORY: given, XDG_STATE_HOME: xdg, HOME: home } = environment;
  const unit = given?.split(':')[0];
  if (unit) return unit;
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'harkd');
  return path.join(home || homedir(), '.local/state/harkd');
}

/** Fills the defaults that depend on the machine, its environment or other keys. `valid` has passed the schema. */
export function complete(valid: ConfigTree, machine: Machine, environment: Environment): Config {
  const config = valid as Partial<Config> & Omit<Config, 'site' | 'threads' | 'stateDir'>;
  const site = config.site ?? siteFor(machine.hostname);
  const baseTopic = config.mqtt.baseTopic ?? `harkd/${site}`;
  const full: Config = {
    ...config,
    site,
    // the encoder of a small model gains nothing from more, and hearing needs some room too
    threads: config.threads ?? Math.max(1, Math.min(4, machine.cores)),
    stateDir: config.stateDir ?? stateDirFor(environment),
    hermes: { ...config.hermes, siteId: config.hermes.siteId ?? site },
    homie: { ...config.homie, id: config.homie.id ?? homieIdOf(baseTopic) },
    outbox: { ...config.outbox, durable: config.outbox.durable ?? config.mqtt.url !== 'embedded' },
    webhook: {
      ...config.webhook,
      // an assistant acts on what it is told: what was said a while ago is not meant any more
      ...(config.webhook.maxAgeS === undefined && config.webhook.preset === 'rasa' ? { maxAgeS: 30 } : {}),
    },
    mqtt: {
      ...config.mqtt,
      clientId: config.mqtt.clientId ?? `harkd-${site}`,
      baseTopic,
    },
  };
  // in the order of the schema, which is the order in which people read it
  const ordered: ConfigTree = {};
  for (const leaf of leaves) {
    const value = pick(full, leaf.path);
    if (leaf.path.length === 2) ordered[leaf.path[0] ?? ''] ??= {};
    if (value !== undefined) put(ordered, leaf.path, value);
  }
  for (const value of Object.values(ordered)) Object.freeze(value);
  return Object.freeze(ordered) as Config;
}
