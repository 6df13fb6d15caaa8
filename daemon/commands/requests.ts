/** What a running daemon can be asked over MQTT, on `request/<name>`. */
import { optionKeys, selected } from '../config/live.ts';
import type { Controls } from '../controls.ts';
import { Fault } from '../faults.ts';
import type { RecentFault } from '../recent-faults.ts';
import type { SelfTest } from '../self-test.ts';
import type { Requests } from '../sinks/mqtt/commands.ts';

export type RequestsOptions = {
  readonly controls: Controls;
  /** Somebody would start the daemon again. */
  readonly isSupervised: boolean;
  /** Ends the daemon so that it is started again. */
  readonly restart: () => void;
  readonly selfTest: () => Promise<SelfTest>;
  readonly info: () => object;
  readonly health: () => object;
  readonly faults: () => readonly RecentFault[];
};

export function requestsFor(options: RequestsOptions): Requests {
  const { controls } = options;
  const effective = (): object => selected(controls.config(), optionKeys);
  return {
    restart() {
      if (!options.isSupervised) {
        throw new Fault(
          'RESTART_REFUSED',
          'nobody would start harkd again: it was not started by systemd',
          'restart it where it was started',
        );
      }
      // the answer is said first
      setImmediate(options.restart);
    },
    reload: () => controls.reload(),
    async options(body) {
      const patch = patchIn(body);
      if (patch !== undefined) await controls.change(patch);
      return effective();
    },
    'self-test': () => options.selfTest(),
    snapshot: () => ({
      at: new Date().toISOString(),
      info: options.info(),
      health: options.health(),
      offered: controls.offered(),
      faults: options.faults(),
    }),
  };
}

/** `{"options": {…}}`, or nothing to be told only. */
function patchIn(body: unknown): object | undefined {
  const expected = 'expected {"options": {…}} with keys of the configuration';
  const hint = 'such as {"options": {"vad": {"threshold": 0.6}}}; nothing at all answers what is in effect';
  if (body === undefined) return undefined;
  if (!isObject(body)) throw new Fault('COMMAND_INVALID', `${expected}, got something else`, hint);
  const unknown = Object.keys(body).filter((name) => name !== 'options' && name !== 'transaction');
  if (unknown.length > 0) throw new Fault('COMMAND_INVALID', `${expected}, got other keys beside it`, hint);
  const { options } = body;
  if (options !== undefined && !isObject(options)) {
    throw new Fault('COMMAND_INVALID', `${expected}, got options of another kind`, hint);
  }
  return options;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
