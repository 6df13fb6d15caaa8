import type { Emit } from '../../events.ts';
import { Fault } from '../../faults.ts';

export type Trouble = {
  readonly connection: (fault: Fault) => void;
  readonly connectionWell: () => void;
  /** The broker is there but does not let us say, or hear, something on this topic. */
  readonly refused: (topic: string, refusal: Error) => void;
  readonly accepted: (topic: string) => void;
};

/** What is wrong with the broker: said once for each thing, and `recovered` once when nothing of it is left. */
export function announceTrouble(options: {
  readonly emit: Emit;
  readonly base: string;
  readonly username: string | undefined;
}): Trouble {
  const { emit, base, username } = options;
  const refusedTopics = new Set<string>();
  let connectionTrouble = false;

  function announce({ code, message, hint }: Fault): void {
    emit({ type: 'fault', component: 'broker', code, message, hint });
  }
  function recovered(message: string): void {
    if (connectionTrouble || refusedTopics.size > 0) return;
    emit({ type: 'recovered', component: 'broker', message });
  }

  return {
    connection(fault) {
      connectionTrouble = true;
      announce(fault);
    },
    connectionWell() {
      if (!connectionTrouble) return;
      connectionTrouble = false;
      recovered('connected to the broker');
    },
    refused(topic, refusal) {
      if (refusedTopics.has(topic)) return;
      refusedTopics.add(topic);
      const who = username === undefined ? 'clients without a user name' : `user ${username}`;
      const isOurs = topic.startsWith(`${base}/`);
      const where = `${isOurs ? `${base}/#` : topic} in the access list of the broker`;
      const hint = `let ${who} read and write ${where}${isOurs ? '; its log says more' : `, or set ${houseOf(topic)}.enabled: false`}`;
      announce(new Fault('BROKER_REFUSED', refusal.message, hint));
    },
    accepted(topic) {
      if (refusedTopics.delete(topic)) recovered(`the broker takes ${topic} again`);
    },
  };
}

/** Beside our own topics there are those of other houses: the section of the configuration that is about one. */
function houseOf(topic: string): string {
  if (topic.startsWith('hermes/')) return 'hermes';
  return topic.split('/')[1] === '5' ? 'homie' : 'homeAssistant';
}
